// Node's http2 as client and server of extended CONNECT, with the frames of its package ws.
// node_peer.js serve: prints the port.
// node_peer.js connect URL: checks the echoes of the server there.
'use strict';

const assert = require('node:assert');
const crypto = require('node:crypto');
const http2 = require('node:http2');
const { createRequire } = require('node:module');

// It is installed below target, not beside this file.
const { WebSocket } = createRequire(process.env.INTEROP + '/')('ws');

// A WebSocket over a stream whose handshake is done. Without an address ws takes it for a server.
function over(stream, isServer) {
  const socket = new WebSocket(null, undefined, { autoPong: true, closeTimeout: 30000 });
  socket._isServer = isServer;
  socket.setSocket(stream, Buffer.alloc(0), {
    allowSynchronousEvents: true, maxPayload: 1 << 26, skipUTF8Validation: false,
  });
  return socket;
}

function serve() {
  const server = http2.createServer({ settings: { enableConnectProtocol: true } });
  server.on('stream', (stream, headers) => {
    stream.on('error', (error) => console.error('node:', error.message));
    assert.strictEqual(headers[':method'], 'CONNECT');
    assert.strictEqual(headers[':protocol'], 'websocket');
    assert.strictEqual(headers['sec-websocket-version'], '13');
    if (headers[':path'] === '/refuse') {
      stream.respond({ ':status': 403 });
      return stream.end('no');
    }
    const chosen = headers['sec-websocket-protocol'] && { 'sec-websocket-protocol': 'chat' };
    stream.respond({ ':status': 200, ...chosen });
    if (headers[':path'] === '/abort') return stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    const socket = over(stream, true);
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on('error', (error) => console.error('ws:', error));
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

function open(session, url) {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat',
      ':scheme': new URL(url).protocol.slice(0, -1), ':authority': new URL(url).host,
      'sec-websocket-version': '13', 'sec-websocket-protocol': 'chat',
      origin: url,
    });
    stream.on('error', reject);
    stream.on('response', (headers) => {
      assert.strictEqual(headers[':status'], 200);
      assert.strictEqual(headers['sec-websocket-protocol'], 'chat');
      resolve(over(stream, false));
    });
  });
}

async function check(socket) {
  for (const length of [0, 1, 125, 126, 65535, 65536, 1 << 20]) {
    for (const message of ['x'.repeat(length), crypto.randomBytes(length)]) {
      socket.send(message);
      const [data, isBinary] = await new Promise((resolve) => {
        socket.once('message', (...event) => resolve(event));
      });
      assert.strictEqual(isBinary, typeof message !== 'string');
      assert.ok(data.equals(Buffer.from(message)), `${length} bytes came back as ${data.length}`);
    }
  }
  const pong = new Promise((resolve) => socket.once('pong', resolve));
  socket.ping('beat');
  assert.strictEqual((await pong).toString(), 'beat');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.close(1000, 'bye');
  assert.strictEqual(await closed, 1000);
}

async function connect(url) {
  // A proxy that reads nothing more while one stream has no room (HAProxy 2.6) stops for good with Node's
  // default windows of 64 KiB, also before a server of Node.
  const session = http2.connect(url, {
    rejectUnauthorized: false, settings: { initialWindowSize: 2 << 20 },
  });
  session.once('connect', () => session.setLocalWindowSize(32 << 20));
  const settings = await new Promise((resolve, reject) => {
    session.on('error', reject);
    session.once('remoteSettings', resolve);
  });
  assert.strictEqual(settings.enableConnectProtocol, true, 'it must announce extended CONNECT');
  // Several on one connection, open at the same time.
  const sockets = await Promise.all(Array.from({ length: 10 }, () => open(session, url)));
  await Promise.all(sockets.map(check));
  session.close();
}

const [mode, url] = process.argv.slice(2);
if (mode === 'serve') {
  serve();
} else {
  connect(url).catch((error) => {
    console.error('node:', error);
    process.exit(1);
  });
}
