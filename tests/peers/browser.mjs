// The steps of browser.sh: node browser.mjs DEMO LOG SCREENSHOTS PORTCULLIS SETTINGS
//
// Whatever a page prints to the console as an error, every violation of its Content-Security-Policy
// and every failed request breaks the test, unless the step says that it expects that.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const [demo, log, shots, portcullis, settings] = process.argv.slice(2);
const check = (holds, what) => { if (!holds) throw new Error(what); };
const ok = (what) => console.log(`ok: ${what}`);

// What the demo printed for whoever tries it.
const printed = readFileSync(log, 'utf8');
const backdoor = printed.match(/\/backdoor as (\S+) with the password (\S+)/);
check(backdoor, `the demo does not print how to use /backdoor:\n${printed}`);
const [, rescuer, password] = backdoor;
const provider = 'demo';

const looks = {
  'desktop-light': { viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
  'desktop-dark': { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
  'phone-light': { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme: 'light' },
  'phone-dark': { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme: 'dark' },
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  // As root in a closed network: no sandbox, and nothing that calls home.
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
});

class Visit {
  constructor(name) {
    this.name = name;
    this.faults = [];
    this.expected = new Set(); // statuses that the step is about
    this.count = 0;
  }

  static async begin(name, options) {
    const visit = new Visit(name);
    visit.context = await browser.newContext(options);
    visit.page = await visit.context.newPage();
    visit.page.setDefaultTimeout(15_000);
    visit.page.on('console', (message) => {
      if (message.type() !== 'error') return;
      // Chromium reports the refusal that a step provoked as a console error too.
      const status = message.text().match(/Failed to load resource: .*status of (\d+)/)?.[1];
      if (!visit.expected.has(Number(status))) visit.faults.push(`console: ${message.text()} (${message.location().url})`);
    });
    visit.page.on('pageerror', (error) => visit.faults.push(`script: ${error}`));
    visit.page.on('requestfailed', (request) => {
      const why = request.failure()?.errorText;
      // Leaving a page cuts its streams.
      if (why !== 'net::ERR_ABORTED') visit.faults.push(`request: ${request.url()} ${why}`);
    });
    await visit.page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => console.error(`CSP ${event.violatedDirective}: ${event.blockedURI}`));
    });
    return visit;
  }

  async shot(name) {
    this.count += 1;
    const number = String(this.count).padStart(2, '0');
    await this.page.screenshot({ path: `${shots}/${this.name}-${number}-${name}.png`, fullPage: true });
    const overflow = await this.page.evaluate(() => document.documentElement.scrollWidth - Math.min(window.innerWidth, window.screen.width));
    check(overflow <= 0, `${this.name}: "${name}" is ${overflow} px too wide`);
  }

  text() { return this.page.locator('body').innerText(); }

  // Presses what is on the page and waits for the page after it.
  async press(locator) {
    await Promise.all([this.page.waitForNavigation(), locator.click()]);
    return this.page;
  }

  async chooseSignIn() {
    await this.press(this.page.locator('button[formaction*="/sso/start/"], form[action*="/sso/start/"] button').first());
  }

  async signIn(person) {
    await this.page.goto(`${demo}/sso/login`);
    await this.chooseSignIn();
    await this.press(this.page.locator(`button[value="${person}"]`));
  }

  async signOut() {
    const { page } = this;
    await page.goto(`${demo}/sso/logout`);
    await this.shot('sign-out');
    await this.press(page.getByRole('link', { name: 'Stay' }));
    check((await this.context.request.get(`${demo}/sso/me`)).status() === 200, `${this.name}: "Stay" signs out`);
    await page.goto(`${demo}/dashboard`);
    await this.press(page.getByRole('link', { name: 'Sign out' }));
    // The gateway may ask, and then the provider may.
    for (let i = 0; i < 3 && !page.url().includes('/sso/signed-out'); i += 1) {
      await this.press(page.getByRole('button', { name: /sign out/i }).first());
    }
    check(page.url().startsWith(`${demo}/sso/signed-out`), `${this.name}: sign-out ends at ${page.url()}`);
  }

  async refusedAs(person, status, shot) {
    this.expected = new Set([status]);
    await this.signIn(person);
    const text = await this.text();
    check(/[0-9a-f]{32}/.test(text), `${this.name}: no request id: ${text}`);
    check(await this.page.locator('a[href]').count() > 0, `${this.name}: no way forward: ${text}`);
    check((await this.context.request.get(`${demo}/sso/me`)).status() === 401, `${this.name}: ${person} has a session`);
    await this.shot(shot);
    this.expected = new Set();
    // The provider remembers who it was; the next step begins anew.
    await this.context.clearCookies();
  }

  async useBackdoor() {
    const { page } = this;
    await page.goto(`${demo}/backdoor`);
    await page.locator('input[type="text"], input:not([type])').first().fill(rescuer);
    await page.locator('input[type="password"]').first().fill(password);
    await this.shot('backdoor');
    await this.press(page.locator('form button').first());
    await page.goto(`${demo}/dashboard`);
    const text = await this.text();
    check(text.includes('Bitbucket believes you are') && text.includes(rescuer), `${this.name}: backdoor: ${text}`);
  }

  async end() {
    check(this.faults.length === 0, `${this.name}:\n${this.faults.join('\n')}`);
    await this.context.close();
  }
}

async function clickThrough(name, options) {
  const visit = await Visit.begin(name, options);
  const { page } = visit;

  // Sign in, from a page with a query, and come back to it.
  await page.goto(`${demo}/projects/DEMO/repos/hello?at=main&deep=link`);
  check(new URL(page.url()).pathname === '/sso/login', `${name}: a stranger is at ${page.url()}`);
  await visit.shot('sign-in');
  await visit.chooseSignIn();
  await visit.shot('provider');
  await visit.press(page.locator('button[value="u-1001"]'));
  check(page.url() === `${demo}/projects/DEMO/repos/hello?at=main&deep=link`, `${name}: came back to ${page.url()}`);
  await visit.shot('repository');

  // The headers that reached the stand-in.
  await page.goto(`${demo}/dashboard`);
  check((await visit.text()).includes('Bitbucket believes you are Ana Souza'), `${name}: ${await visit.text()}`);
  const rows = await page.locator('tr').evaluateAll((all) => all.map((row) => row.innerText.replace(/\s+/g, ' ').trim()));
  check(rows.some((row) => /^x-forwarded-user ana$/i.test(row)), `${name}: no identity header: ${rows.join(' | ')}`);
  check(!rows.some((row) => /^cookie .*portcullis/i.test(row)), `${name}: the session's cookie reached the upstream`);
  await visit.shot('dashboard');

  // Streams.
  await page.goto(`${demo}/live`);
  await page.waitForFunction(() => document.getElementById('events').textContent.trim() !== ''
    && document.getElementById('echo').textContent.includes('← hello from the browser'));
  await page.locator('#words').fill('and once more');
  await page.locator('#say button').click();
  await page.waitForFunction(() => document.getElementById('echo').textContent.includes('← and once more'));
  await visit.shot('live');

  // Sign out, and stay so.
  await visit.signOut();
  await visit.shot('signed-out');
  await page.reload();
  check(page.url().startsWith(`${demo}/sso/signed-out`), `${name}: the signed-out page leads to ${page.url()}`);
  check((await visit.context.request.get(`${demo}/sso/me`)).status() === 401, `${name}: still signed in`);
  await visit.context.clearCookies();

  // Those who must not get in.
  await visit.refusedAs('u-3001', 403, 'unverified');
  await visit.refusedAs('u-2002', 403, 'collision');

  // The backdoor, first with the provider, then without.
  await visit.useBackdoor();
  await visit.press(page.getByRole('button', { name: 'Stop the provider' }));
  await visit.shot('provider-stopped');
  const another = await Visit.begin(`${name}-stopped`, options);
  // Discovery is in the cache by now: it is the browser that finds the provider's port closed, and that
  // is a page of the browser's own, in a tab that is left alone then.
  const closed = await (await another.context.newPage()).goto(`${demo}/sso/start/${provider}`)
    .then((answer) => `answered ${answer.status()}`, (error) => error.message);
  check(closed.includes('ERR_CONNECTION_REFUSED'), `${name}: the stopped provider: ${closed}`);
  await another.useBackdoor();
  await another.shot('rescued');
  await another.press(another.page.getByRole('button', { name: 'Start the provider' }));
  await another.end();
  await visit.end();
  ok(`${name}: sign-in, headers, streams, sign-out, refusals, provider stopped, backdoor; no console error`);
}

// Before anything was ever fetched from the provider, the gateway itself has to say that it is down.
async function providerNeverSeen() {
  const rescue = await Visit.begin('never-seen', looks['desktop-light']);
  await rescue.useBackdoor();
  await rescue.press(rescue.page.getByRole('button', { name: 'Stop the provider' }));
  for (const [name, options] of Object.entries(looks)) {
    const visit = await Visit.begin(`${name}-down`, options);
    visit.expected = new Set([502, 503, 504]);
    await visit.page.goto(`${demo}/dashboard`);
    await visit.chooseSignIn();
    const text = await visit.text();
    check(visit.page.url().startsWith(demo) && /[0-9a-f]{32}/.test(text), `${name}: ${visit.page.url()}: ${text}`);
    check(await visit.page.locator('a[href]').count() > 0, `${name}: no way forward: ${text}`);
    await visit.shot('provider-down');
    await visit.end();
  }
  await rescue.press(rescue.page.getByRole('button', { name: 'Start the provider' }));
  await rescue.end();

  // The gateway waits a little before it asks again.
  const visit = await Visit.begin('back-again', looks['desktop-light']);
  visit.expected = new Set([502, 503, 504]);
  for (const began = Date.now(); ;) {
    const answer = await visit.page.goto(`${demo}/sso/start/${provider}`);
    if (answer.ok()) break;
    check(Date.now() - began < 60_000, 'a provider that came back was not found within a minute');
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  await visit.end();
  ok('a provider that was never seen is a page of the gateway, and is found when it comes back');
}

// Every claim, the plan and the cure of each problem, for an administrator and for a one-time address.
async function testPage(name, options) {
  const visit = await Visit.begin(`${name}-test`, options);
  const { page } = visit;
  const shows = async (...words) => {
    const text = await visit.text();
    for (const word of words) check(text.includes(word), `${name}: no "${word}" on the test page: ${text}`);
  };
  const nobodySignedIn = async (what) => {
    check((await visit.context.request.get(`${demo}/sso/me`)).status() === 401, `${name}: ${what} signs in`);
  };

  // Before anybody can sign in: a one-time address, and somebody who would be made.
  const once = () => execFileSync(portcullis, ['test-url', '--config', settings, '--provider', provider]).toString().trim();
  const url = once();
  await page.goto(url);
  await visit.press(page.locator('button[value="u-1004"]'));
  await shows('This person could sign in as zoe', 'Zoë Łukaszewska', 'zoe@example.com', 'Übersetzung', 'translators',
    'Create "zoe"', 'x-forwarded-user: zoe', 'preferred_username', 'Every claim');
  for (const details of await page.locator('details').all()) await details.locator('summary').click();
  await visit.shot('new');
  await nobodySignedIn('a test');
  // Somebody who is refused, for two reasons, with what would cure each.
  await page.goto(once());
  await visit.press(page.locator('button[value="u-3001"]'));
  await shows('This person could not sign in', 'unverified_email', 'require_verified_email = false');
  await visit.shot('refused');
  await page.goto(once());
  await visit.press(page.locator('button[value="u-3002"]'));
  await shows('domain_not_allowed', 'allowed_domains', 'elsewhere.example');
  await visit.shot('domain');
  // It was good once.
  visit.expected = new Set([403]);
  await page.goto(url);
  await shows('test');
  check(await page.locator('a[href]').count() > 0, `${name}: no way forward`);
  await visit.shot('spent');
  visit.expected = new Set();
  await visit.context.clearCookies();

  // An administrator with a session, and somebody else.
  await visit.signIn('u-1003');
  await page.goto(`${demo}/sso/test/${provider}`);
  await visit.press(page.locator('button[value="u-1003"]'));
  await shows('This person could sign in as carla', 'bitbucket-admins', 'Test again');
  await visit.shot('administrator');
  await visit.press(page.getByRole('link', { name: 'Test again' }));
  check(page.url().startsWith(demo) === false, `${name}: "Test again" leads to ${page.url()}`);
  const me = await (await visit.context.request.get(`${demo}/sso/me`, { headers: { accept: 'application/json' } })).json();
  check(me.username === 'carla', `${name}: a test changes who is signed in: ${JSON.stringify(me)}`);
  await visit.context.clearCookies();
  await visit.signIn('u-1002');
  visit.expected = new Set([403]);
  await page.goto(`${demo}/sso/test/${provider}`);
  await visit.shot('not-for-you');
  await visit.end();
  ok(`${name}: the test page of a new person, of two who are refused, of an administrator; no console error`);
}

async function withoutScripts() {
  const visit = await Visit.begin('no-javascript', { ...looks['desktop-light'], javaScriptEnabled: false });
  await visit.page.goto(`${demo}/dashboard`);
  await visit.chooseSignIn();
  await visit.press(visit.page.locator('button[value="u-1002"]'));
  check((await visit.text()).includes('Bitbucket believes you are Ben Okafor'), await visit.text());
  await visit.press(visit.page.getByRole('link', { name: 'Sign out' }));
  for (let i = 0; i < 3 && !visit.page.url().includes('/sso/signed-out'); i += 1) {
    await visit.press(visit.page.getByRole('button', { name: /sign out/i }).first());
  }
  check(visit.page.url().startsWith(`${demo}/sso/signed-out`), `sign-out ends at ${visit.page.url()}`);
  await visit.end();
  ok('sign-in and sign-out work without JavaScript');
}

try {
  await providerNeverSeen();
  for (const [name, options] of Object.entries(looks)) await clickThrough(name, options);
  for (const [name, options] of Object.entries(looks)) await testPage(name, options);
  await withoutScripts();
} catch (error) {
  for (const context of browser.contexts()) {
    for (const page of context.pages()) {
      console.error(`at ${page.url()}`);
      await page.screenshot({ path: `${shots}/failed.png` }).catch(() => {});
    }
  }
  console.error(`FAILED: ${error.stack}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
