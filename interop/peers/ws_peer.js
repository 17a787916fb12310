// The end of Node's ws: see src/main.rs for the arguments.
'use strict';

const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const { createRequire } = require('node:module');

// It is installed below target, not beside this file.
const { WebSocket, WebSocketServer } = createRequire(process.env.INTEROP + '/')('ws');

const [mode, takeover, window, url] = process.argv.slice(2);
const forbidden = takeover === 'forbidden';
const perMessageDeflate = {
  serverNoContextTakeover: forbidden,
  clientNoContextTakeover: forbidden,
  serverMaxWindowBits: Number(window),
  clientMaxWindowBits: Number(window),
  threshold: 0,
};
const maxPayload = 1 << 26;
// With TLS, which all ends trust.
const certificate = process.env.CERT && fs.readFileSync(process.env.CERT);

if (mode === 'serve') {
  const listener = certificate
    ? https.createServer({ cert: certificate, key: fs.readFileSync(process.env.KEY) })
    : http.createServer();
  const server = new WebSocketServer({ server: listener, perMessageDeflate, maxPayload });
  listener.listen(0, '127.0.0.1', () => console.log(listener.address().port));
  server.on('connection', (socket) => {
    assert.match(socket.extensions, /permessage-deflate/);
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on('error', (error) => console.error('ws:', error));
  });
} else {
  const socket = new WebSocket(url, { perMessageDeflate, maxPayload, ca: certificate });
  const messages = [];
  for (let round = 0; round < 2; round++) {
    for (const length of [0, 1, 125, 126, 1000, 65535, 65536, 1 << 20]) {
      const text = Array.from({ length: length / 8 + 1 }, (_, i) => `{"id": ${i}}, `).join('');
      messages.push(text.slice(0, length), text.slice(0, length).replaceAll('i', '💩'));
      messages.push(Buffer.from(text.slice(0, length)), crypto.randomBytes(length));
    }
  }
  const send = (message) => {
    // Every third in fragments.
    if (messages.length % 3 !== 0) return socket.send(message);
    const binary = typeof message !== 'string';
    const characters = binary ? message : Array.from(message);
    const part = (from, to) =>
      binary ? message.subarray(from, to) : characters.slice(from, to).join('');
    const third = Math.floor(characters.length / 3);
    socket.send(part(0, third), { fin: false, binary });
    socket.send(part(third, third), { fin: false, binary });
    socket.send(part(third), { fin: true, binary });
  };
  socket.on('open', () => {
    assert.match(socket.extensions, /permessage-deflate/);
    send(messages[0]);
  });
  socket.on('message', (data, isBinary) => {
    const sent = messages.shift();
    assert.strictEqual(isBinary, typeof sent !== 'string');
    assert.ok(data.equals(Buffer.from(sent)), `${sent.length} bytes came back as ${data.length}`);
    if (messages.length > 0) send(messages[0]);
    else socket.close(1000);
  });
  socket.on('close', (code) => process.exit(code === 1000 && messages.length === 0 ? 0 : 1));
  socket.on('error', (error) => {
    console.error('ws:', error);
    process.exit(1);
  });
}
