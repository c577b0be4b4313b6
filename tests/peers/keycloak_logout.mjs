// What keycloak.sh proves with a real browser: node keycloak_logout.mjs GATEWAY REALM PASSWORD LOG STRANGER
//
// Keycloak's pages and the gateway are of different sites here, so the browser brings no cookie into
// the frame of the front channel. STRANGER is a page of neither, but of the gateway's site.
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const [gateway, realm, password, log, stranger] = process.argv.slice(2);
const channel = `${gateway}/sso/frontchannel-logout/front`;
const check = (holds, what) => { if (!holds) throw new Error(what); };
const ok = (what) => console.log(`ok: ${what}`);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  // As root in a closed network: no sandbox, and nothing that calls home.
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
});

class Visit {
  static async begin() {
    const visit = new Visit();
    visit.errors = [];
    visit.context = await browser.newContext();
    visit.page = await visit.context.newPage();
    visit.page.setDefaultTimeout(30_000);
    visit.page.on('console', (message) => {
      const { url } = message.location();
      // The browser asks for it by itself, also where a page is JSON.
      if (message.type() === 'error' && !url.endsWith('/favicon.ico')) visit.errors.push(`${message.text()} (${url})`);
    });
    visit.page.on('pageerror', (error) => visit.errors.push(`script: ${error}`));
    return visit;
  }

  async signIn() {
    await this.page.goto(`${gateway}/sso/start/front`);
    await this.page.locator('#username').fill('ana');
    await this.page.locator('#password').fill(password);
    await this.page.locator('#kc-login').click();
    await this.page.waitForURL(`${gateway}/**`);
    check(await this.signedIn(), `no session at ${this.page.url()}`);
  }

  // Beside the pages, with the browser's cookies.
  async signedIn() {
    return (await this.context.request.get(`${gateway}/sso/me`)).status() === 200;
  }

  // Does this, and returns the frame that Keycloak's page then loads from here.
  async framed(act) {
    const [answer] = await Promise.all([
      this.page.waitForResponse((response) => response.url().startsWith(channel)),
      act(),
    ]);
    const said = new URL(answer.url()).searchParams;
    const headers = await answer.request().allHeaders();
    check(answer.status() === 200, `${answer.url()}: ${answer.status()}`);
    check(said.get('iss') === realm && said.get('sid'), `no iss and sid: ${answer.url()}`);
    check(headers['sec-fetch-dest'] === 'iframe' && headers['sec-fetch-site'] === 'cross-site', JSON.stringify(headers));
    check(!headers.cookie, `a cookie in a frame of another site: ${headers.cookie}`);
    return answer;
  }

  clean(what) { check(this.errors.length === 0, `${what}: the browser complains:\n${this.errors.join('\n')}`); }

  async end() { await this.context.close(); }
}

const ended = () => readFileSync(log, 'utf8').split('\n')
  .filter((line) => line.includes('"event":"session_ended"') && line.includes('"reason":"front_channel_logout"')).length;

async function frontChannel() {
  const visit = await Visit.begin();
  const other = await Visit.begin();
  await visit.signIn();
  await other.signIn();
  await visit.page.goto(`${realm}/protocol/openid-connect/logout`);
  check(await visit.signedIn(), 'the question alone signs out');
  const answer = await visit.framed(() => visit.page.locator('#kc-logout').click());
  await answer.finished();
  await visit.page.waitForLoadState('load');
  check(visit.page.url().startsWith(realm), `Keycloak's page is gone: ${visit.page.url()}`);
  // What a browser refuses to show in a frame is replaced by an error page of its own.
  const frames = visit.page.frames().map((frame) => frame.url());
  check(frames.includes(answer.url()), `the frame is not shown: ${frames.join(', ')}`);
  visit.clean('front channel');
  ok('Keycloak\'s page loads the front channel in a frame, with iss and sid, and Chromium complains of nothing');
  check(!await visit.signedIn(), 'the frame was loaded, and the session goes on');
  ok('the session is over, although the browser brings no cookie into a frame of another site');
  check(await other.signedIn(), 'another session of the person ended too');
  check(ended() === 1, `${ended()} sessions ended by the front channel`);
  ok('the other browser of the same person stays signed in; the audit log says front_channel_logout once');
  await visit.page.goto(`${gateway}/sso/start/front`);
  await visit.page.locator('#password').waitFor();
  ok('Keycloak asks for the password anew');
  await visit.end();

  // A sign-out from here passes that page as well, where the client has the front channel on.
  await other.page.goto(`${gateway}/sso/logout`);
  await other.framed(() => other.page.locator('form button').click());
  await other.page.waitForURL(`${gateway}/sso/signed-out**`);
  check(!await other.signedIn(), 'still signed in');
  other.clean('sign-out from here');
  ok('a sign-out from here goes over Keycloak\'s page with the frame to /sso/signed-out, in Chromium too');
  await other.page.goto(`${gateway}/`);
  check(new URL(other.page.url()).pathname === '/sso/login', `signs in by itself: ${other.page.url()}`);
  ok('Chromium stays at the sign-in page afterwards, although auto_redirect is on');
  await other.end();
}

// Opens an address in a frame of this page; answers whether it is shown there.
async function shows(visit, framer, address) {
  const { page } = visit;
  await page.goto(framer);
  visit.errors = [];
  await page.evaluate((source) => new Promise((resolve) => {
    const frame = document.createElement('iframe');
    frame.addEventListener('load', resolve, { once: true });
    frame.src = source;
    document.body.append(frame);
  }), address);
  const [frame] = page.mainFrame().childFrames();
  return frame.url() === address;
}

async function framing() {
  const visit = await Visit.begin();
  await visit.signIn();
  // The realm's keys, as JSON: a page of the provider's origin that has no policy of its own.
  const provider = realm;
  const named = `${channel}?iss=${encodeURIComponent(realm)}&sid=nobody`;
  check(await shows(visit, provider, named), 'the provider may not frame the front channel');
  visit.clean('frame of the provider');
  const refused = async (framer, address) => {
    check(!await shows(visit, framer, address), `${framer} may frame ${address}`);
    check(visit.errors.some((error) => error.includes('frame-ancestors')), `${address}: ${visit.errors.join('\n')}`);
  };
  const pages = ['/sso/login?choose=1', '/sso/logout', '/sso/signed-out', '/sso/nowhere', '/backdoor'];
  for (const path of pages) await refused(provider, gateway + path);
  ok(`Chromium shows none of ${pages.join(' ')} in a frame, not even in one of Keycloak's origin`);
  // Of the same site as the gateway, so that these come with the person's cookie.
  for (const path of ['/sso/account', '/sso/admin/', '/sso/logout']) await refused(stranger, gateway + path);
  ok('nor /sso/account, /sso/admin/ and /sso/logout of somebody who is signed in, in one of the gateway\'s own site');
  for (const address of [channel, named]) await refused(stranger, address);
  check(await visit.signedIn(), 'a frame of a stranger signs out');
  ok('the front channel is shown in no frame of a stranger, and such a frame signs nobody out');
  await visit.end();
}

try {
  await frontChannel();
  await framing();
} catch (error) {
  for (const context of browser.contexts()) for (const page of context.pages()) console.error(`at ${page.url()}`);
  console.error(`FAILED: ${error.stack}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
