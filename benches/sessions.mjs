// Signs thousands of people in: node sessions.mjs GATEWAY PROVIDER_PORT NUMBER
//
// It is both the provider, which answers at once and signs nothing (plain OAuth 2.0), and the
// browsers, which skip the provider's page. Each session then makes one request.
import { Agent, createServer, request } from 'node:http';

const [gateway, port, number] = process.argv.slice(2);
const json = (response, value) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
};

const provider = createServer((incoming, response) => {
  let body = '';
  incoming.on('data', (chunk) => { body += chunk; });
  incoming.on('end', () => {
    if (incoming.url === '/token') {
      const code = new URLSearchParams(body).get('code');
      return json(response, { access_token: code, token_type: 'Bearer', expires_in: 600, scope: 'openid' });
    }
    const who = (incoming.headers.authorization ?? '').split(' ')[1];
    json(response, {
      sub: `subject-${who}`, preferred_username: who, email: `${who}@example.com`, email_verified: true,
      name: `Person ${who}`, groups: ['dev', 'stash-users', 'everybody'],
    });
  });
});
await new Promise((resolve) => provider.listen(Number(port), '127.0.0.1', resolve));

const agent = new Agent({ keepAlive: true, maxSockets: 16 });
const get = (path, cookies) => new Promise((resolve, reject) => {
  const headers = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
  if (cookies) headers.cookie = cookies;
  request(gateway + path, { agent, headers }, (response) => {
    response.resume();
    response.on('end', () => resolve(response));
  }).on('error', reject).end();
});
const cookiesOf = (response) => (response.headers['set-cookie'] ?? [])
  .map((line) => line.split(';')[0]).filter((pair) => !pair.endsWith('=')).join('; ');

async function signIn(who) {
  const start = await get('/sso/start/fast?next=%2F');
  const state = new URL(start.headers.location).searchParams.get('state');
  const query = new URLSearchParams({ code: who, state });
  const callback = await get(`/sso/callback/fast?${query}`, cookiesOf(start));
  const session = cookiesOf(callback);
  const page = await get('/', session);
  if (page.statusCode !== 200 || !session) {
    throw new Error(`${who} is not signed in: ${start.statusCode}, ${callback.statusCode}, ${page.statusCode}`);
  }
}

const began = performance.now();
let next = 0;
await Promise.all(Array.from({ length: 16 }, async () => {
  while (next < Number(number)) {
    next += 1;
    await signIn(`person-${next}`);
  }
}));
const seconds = (performance.now() - began) / 1000;
console.log(`${number} people signed in within ${seconds.toFixed(1)} s (${(seconds * 1000 / Number(number)).toFixed(2)} ms each)`);
process.exit(0);
