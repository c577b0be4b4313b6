// A web application that nobody signs in to: it answers what reached it, swallows and produces
// bytes without end, streams events, and echoes WebSocket messages (npm `ws`).
//
//   node upstream.mjs PORT
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const [port] = process.argv.slice(2);
const block = Buffer.alloc(256 * 1024);
let finishEvents = () => {};

const pages = {
  '/seen': (request, response) => {
    response.setHeader('content-type', 'application/json');
    const { method, url, headers, rawHeaders } = request;
    response.end(JSON.stringify({ method, url, headers, rawHeaders }));
  },
  // The length of what was sent, once all of it is here.
  '/swallow': (request, response) => {
    let length = 0;
    request.on('data', (chunk) => { length += chunk.length; });
    request.on('end', () => response.end(`${length}\n`));
  },
  // `?bytes=N`, as fast as the other side reads.
  '/produce': (request, response) => {
    let left = Number(new URL(request.url, 'http://upstream').searchParams.get('bytes'));
    response.setHeader('content-type', 'application/octet-stream');
    const more = () => {
      while (left > 0) {
        const part = left < block.length ? block.subarray(0, left) : block;
        left -= part.length;
        if (!response.write(part)) return;
      }
      response.end();
    };
    response.on('drain', more);
    more();
  },
  // The second event is sent only when somebody who has read the first one asks for it.
  '/events': (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.write('data: first\n\n');
    finishEvents = () => { response.end('event: last\ndata: second\n\n'); };
  },
  '/events/finish': (request, response) => {
    finishEvents();
    response.writeHead(204).end();
  },
  '/trailers': (request, response) => {
    response.writeHead(200, { trailer: 'x-checksum', 'content-type': 'text/plain' });
    response.write('body\n');
    response.addTrailers({ 'x-checksum': 'of-the-body' });
    response.end();
  },
  '/empty': (request, response) => response.writeHead(204).end(),
};

const server = createServer((request, response) => {
  const page = pages[request.url.split('?')[0]];
  if (page) return page(request, response);
  response.setHeader('content-type', 'text/html');
  response.end(`<h1>upstream</h1><p>you are ${request.headers['x-forwarded-user'] ?? 'nobody'}</p>`);
});
// `Expect` is answered here, not by node for us, so that a refused upload is seen to be refused.
server.on('checkContinue', (request, response) => {
  response.writeContinue();
  server.emit('request', request, response);
});
server.requestTimeout = 0;

const sockets = new WebSocketServer({ server, path: '/socket', maxPayload: 64 * 1024 * 1024 });
sockets.on('connection', (socket, request) => {
  socket.send(`hello ${request.headers['x-forwarded-user'] ?? 'nobody'}`);
  socket.on('message', (data, binary) => socket.send(data, { binary }));
});

server.listen(Number(port), '127.0.0.1', () => console.log(`upstream on ${port}`));
