// A server for interop/web, with Node's `ws`: the path says what it does.
'use strict';

const http = require('node:http');
const { createRequire } = require('node:module');

// It is installed below target, not beside this file.
const { WebSocketServer } = createRequire(process.env.INTEROP + '/')('ws');

const sockets = new WebSocketServer({
  noServer: true,
  handleProtocols: (offered) => (offered.has('protocolTwo') ? 'protocolTwo' : false),
});

function serve(socket, url) {
  let received = 0;
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => {
    received += isBinary ? data.length : data.toString().length;
    if (url.pathname === '/echo' || url.pathname === '/') socket.send(data, { binary: isBinary });
  });
  socket.on('close', (code, reason) => {
    console.log(`${url.pathname} ${received} ${code} ${reason}`);
  });
  switch (url.pathname) {
    case '/greet':
      socket.send('Grüße');
      socket.send(Buffer.from([0, 255]));
      socket.close(1000, 'bye');
      break;
    case '/close':
      socket.close(Number(url.searchParams.get('code')), url.searchParams.get('reason') ?? '');
      break;
    case '/abort':
      socket.terminate();
      break;
    case '/violate':
      socket._socket.write(Buffer.from([0xc1, 0x00]));
      break;
    case '/hold':
      // Reads nothing until the program has had the time to look at bufferedAmount.
      socket.pause();
      setTimeout(() => socket.resume(), Number(url.searchParams.get('seconds')) * 1000);
      break;
  }
}

const server = http.createServer();
server.on('upgrade', (request, stream, head) => {
  const url = new URL(request.url, 'ws://127.0.0.1');
  if (url.pathname === '/refuse') {
    stream.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno\n');
    return;
  }
  setTimeout(
    () => sockets.handleUpgrade(request, stream, head, (socket) => serve(socket, url)),
    url.pathname === '/slow' ? 2000 : 0,
  );
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
