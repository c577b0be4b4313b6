// The steps of streams.sh: node streams.mjs GATEWAY COOKIE USER
import { EventSource } from 'eventsource';
import { WebSocket } from 'ws';

const [gateway, cookie, user] = process.argv.slice(2);
const ok = (what) => console.log(`ok: ${what}`);
const fail = (why) => { console.error(`FAILED: ${why}`); process.exit(1); };
setTimeout(() => fail('the streams stand still'), 60_000).unref();

const socketUrl = `${gateway.replace('http', 'ws')}/socket`;
const next = (socket) => new Promise((resolve, reject) => {
  socket.once('message', (data, binary) => resolve({ data, binary }));
  socket.once('error', reject);
});

// --- WebSocket ---------------------------------------------------------------------------------

const socket = new WebSocket(socketUrl, { headers: { cookie, 'x-forwarded-user': 'admin' } });
const hello = (await next(socket)).data.toString();
if (hello !== `hello ${user}`) fail(`the upstream greets "${hello}"`);
ok('a WebSocket opens, and the upstream knows who it is');
socket.send('a text: ž');
const text = await next(socket);
if (text.binary || text.data.toString() !== 'a text: ž') fail('a text message came back changed');
const big = Buffer.alloc(8 * 1024 * 1024, 'portcullis');
socket.send(big);
const binary = await next(socket);
if (!binary.binary || !binary.data.equals(big)) fail('a binary message came back changed');
ok('messages pass in both directions, 8 MiB too');
const pong = new Promise((resolve) => socket.once('pong', resolve));
socket.ping('are you there');
if ((await pong).toString() !== 'are you there') fail('a ping came back changed');
const closed = new Promise((resolve) => socket.once('close', resolve));
socket.close(4321, 'enough');
if (await closed !== 4321) fail('the close code was lost');
ok('ping and close pass');

const stranger = new WebSocket(socketUrl);
const refusal = await new Promise((resolve) => {
  stranger.once('unexpected-response', (_, response) => resolve(response.statusCode));
  stranger.once('open', () => fail('a stranger opened a WebSocket'));
  stranger.once('error', () => {});
});
if (refusal !== 401) fail(`a stranger's WebSocket is answered ${refusal}`);
ok("a stranger's WebSocket is refused with 401");

// --- Server-sent events ---------------------------------------------------------------------------

// The upstream sends the second event only after the first was read here: a gateway that held the
// first back until the end would never get to the end.
const fetchWithCookie = (url, init) => fetch(url, { ...init, headers: { ...init?.headers, cookie } });
const source = new EventSource(`${gateway}/events`, { fetch: fetchWithCookie });
// The end of a stream is an `error` too, without a message; it may come only after the last event.
let ended = false;
const end = new Promise((resolve) => {
  source.onerror = (error) => {
    if (!ended || error.message) fail(`the event stream broke: ${error.message ?? 'it ended early'}`);
    resolve();
  };
});
const first = await new Promise((resolve) => { source.onmessage = resolve; });
if (first.data !== 'first') fail(`the first event is "${first.data}"`);
ok('the first event arrives while the stream is open');
const last = new Promise((resolve) => source.addEventListener('last', (event) => {
  ended = true;
  resolve(event);
}));
await fetchWithCookie(`${gateway}/events/finish`);
if ((await last).data !== 'second') fail('the last event was changed');
await end;
source.close();
ok('the last event arrives too, and then a clean end');
process.exit(0);
