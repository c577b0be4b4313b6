// The steps of pages.sh: node pages.mjs CHOICE COUNTDOWN OFF DEMO SCREENSHOTS USER PASSWORD
//
// Every page, in four looks: axe-core finds no violation, nothing is wider than the screen, the focus
// is where the keyboard needs it, and the browser has nothing to complain about.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const [choice, countdown, off, demo, shots, user, password] = process.argv.slice(2);
const check = (holds, what) => { if (!holds) throw new Error(what); };
const ok = (what) => console.log(`ok: ${what}`);

const desktop = { viewport: { width: 1280, height: 900 } };
const phone = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const looks = {
  'desktop-light': { ...desktop, colorScheme: 'light' },
  'desktop-dark': { ...desktop, colorScheme: 'dark' },
  'phone-light': { ...phone, colorScheme: 'light' },
  'phone-dark': { ...phone, colorScheme: 'dark' },
};
const languages = ['en', 'de', 'fr', 'es', 'ja', 'tr'];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  // As root in a closed network: no sandbox, and nothing that calls home.
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
});

const found = [];
let looked = 0;

class Visit {
  static async begin(look, locale = 'en') {
    const visit = new Visit();
    visit.look = look;
    visit.context = await browser.newContext({ ...looks[look], locale });
    visit.page = await visit.context.newPage();
    visit.page.setDefaultTimeout(15_000);
    visit.page.on('console', (message) => {
      // A refused page is a failed load to Chromium.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
        found.push(`${look} ${visit.page.url()}: console: ${message.text()}`);
      }
    });
    await visit.page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => console.error(`CSP ${event.violatedDirective}: ${event.blockedURI}`));
    });
    return visit;
  }

  // Opens an address, or looks at where a step has led, and examines what is there.
  async look_at(name, address, status = 200) {
    const { page } = this;
    if (address) {
      const answer = await page.goto(address);
      check(answer.status() === status, `${address}: ${answer.status()}, not ${status}`);
    }
    await page.screenshot({ path: `${shots}/${name}-${this.look}.png`, fullPage: true });
    // By the debugger: the page's policy lets no script of its own run.
    await page.evaluate(axe);
    const result = await page.evaluate(() => globalThis.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }));
    for (const { id, help, nodes } of result.violations) {
      const where = nodes.slice(0, 3).map((node) => `${node.html}\n      ${node.failureSummary?.replaceAll('\n', ' ')}`);
      found.push(`${name} ${this.look}: ${id}: ${help}\n    ${where.join('\n    ')}`);
    }
    const over = await page.evaluate(() => document.documentElement.scrollWidth - Math.min(window.innerWidth, window.screen.width));
    if (over > 0) found.push(`${name} ${this.look}: ${over} px too wide`);
    looked += 1;
  }

  async press(locator) {
    await Promise.all([this.page.waitForNavigation(), locator.click()]);
  }

  // The way of somebody without a mouse: each thing that can be used has the focus once, and shows it.
  async tab_through(name) {
    const { page } = this;
    const wanted = await page.locator('main a[href], main button, main input:not([type=hidden]), main summary, main [tabindex="0"]').count();
    await page.evaluate(() => document.activeElement?.blur());
    const seen = new Set();
    for (let step = 0; step < wanted + 5; step += 1) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => {
        const element = document.activeElement;
        if (!element || element === document.body) return null;
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        const all = [...document.querySelectorAll('*')];
        return { index: all.indexOf(element), shown: outlineStyle !== 'none' && outlineWidth !== '0px', html: element.outerHTML.slice(0, 120) };
      });
      if (!at) continue;
      seen.add(at.index);
      if (!at.shown) found.push(`${name} ${this.look}: the focus cannot be seen at ${at.html}`);
    }
    if (seen.size < wanted) found.push(`${name} ${this.look}: the keyboard reaches ${seen.size} of ${wanted}`);
  }

  async sign_in() {
    const { page } = this;
    await page.goto(`${choice}/backdoor?next=/sso/admin/`);
    await page.locator('input[type="text"]').first().fill(user);
    await page.locator('input[type="password"]').first().fill(password);
    await this.press(page.locator('form button').first());
  }

  async end() { await this.context.close(); }
}

async function strangers(look) {
  const visit = await Visit.begin(look);
  const { page } = visit;
  await visit.look_at('sign-in', `${choice}/sso/login`);
  await visit.tab_through('sign-in');
  await visit.look_at('sign-in-not-an-address', `${choice}/sso/login?email=ana`, 400);
  await visit.look_at('sign-in-unknown-domain', `${choice}/sso/login?email=ana@nowhere.example`);
  await visit.look_at('sign-in-countdown', `${countdown}/sso/login`);
  await visit.tab_through('sign-in-countdown');
  await visit.press(page.locator('a.other'));
  await visit.look_at('sign-in-stopped');
  await visit.look_at('sign-in-off', `${off}/sso/login`);
  await visit.look_at('error-provider-silent', `${choice}/sso/start/keycloak?next=/x`, 504);
  await visit.tab_through('error-provider-silent');
  await visit.look_at('error-not-found', `${choice}/sso/nowhere`, 404);
  await visit.look_at('error-lost', `${choice}/sso/callback/keycloak?code=c&state=s`, 400);
  await visit.look_at('sign-out-nobody', `${choice}/sso/logout`);
  await visit.look_at('signed-out', `${choice}/sso/signed-out`);
  await visit.look_at('emergency', `${choice}/backdoor`);
  await visit.tab_through('emergency');
  await page.locator('input[type="text"]').first().fill('nobody');
  await page.locator('input[type="password"]').first().fill('wrong');
  await visit.press(page.locator('form button').first());
  await visit.look_at('emergency-refused');
  await visit.end();
}

async function administrator(look) {
  const visit = await Visit.begin(look);
  const { page } = visit;
  await visit.sign_in();
  await visit.look_at('console-overview');
  await visit.tab_through('console-overview');
  for (const path of ['sessions', 'sessions/revoke?all=1', 'sign-ins', 'identities', 'tests', 'configuration']) {
    await visit.look_at(`console-${path.replace(/[/?].*/, (rest) => (rest.startsWith('/') ? '-revoke' : ''))}`, `${choice}/sso/admin/${path}`);
  }
  await page.goto(`${choice}/sso/admin/sign-ins`);
  const reasons = page.locator('a[href*="/sso/admin/sign-ins/"]');
  check(await reasons.count() > 0, 'the console knows no sign-in');
  await visit.press(reasons.first());
  await visit.look_at('console-reasons');
  await visit.look_at('console-nowhere', `${choice}/sso/admin/nowhere`, 404);
  await visit.look_at('account', `${choice}/sso/account`);
  await visit.tab_through('account');
  await visit.press(page.locator('form:has(input[value="all"]) button'));
  await visit.look_at('account-all');
  await visit.look_at('sign-out', `${choice}/sso/logout`);
  await visit.look_at('error-upstream', `${choice}/dashboard`, 502);
  await visit.page.goto(`${choice}/sso/logout`);
  await visit.press(page.locator('form button'));
  check(page.url().endsWith('/sso/signed-out'), `sign-out ends at ${page.url()}`);
  await visit.end();
}

// What there is to see only once a provider has answered: the test page, refusals of people, and the
// console with people, pins and reasons in it.
async function with_a_provider(look) {
  const visit = await Visit.begin(look);
  const { page } = visit;
  const choose = (person) => visit.press(page.locator(`button[value="${person}"]`));
  const sign_in = async (person) => {
    await page.goto(`${demo}/sso/login?choose=1`);
    await visit.press(page.locator('form[action*="/sso/start/"] button, button[formaction*="/sso/start/"]').first());
    await choose(person);
  };
  await sign_in('u-3001');
  await visit.look_at('refused-address');
  await visit.tab_through('refused-address');
  await visit.context.clearCookies();
  await sign_in('u-1002');
  await visit.look_at('test-not-for-you', `${demo}/sso/test/demo`, 403);
  await visit.look_at('console-not-for-you', `${demo}/sso/admin/`, 403);
  await visit.context.clearCookies();
  await page.goto(`${demo}/sso/login?choose=1`);
  await sign_in('u-1003');
  await page.goto(`${demo}/sso/test/demo`);
  await choose('u-1004');
  for (const details of await page.locator('details').all()) await details.locator('summary').click();
  await visit.look_at('test');
  await visit.tab_through('test');
  await visit.context.clearCookies();
  await sign_in('u-1003');
  await page.goto(`${demo}/sso/test/demo`);
  await choose('u-3002');
  await visit.look_at('test-refused');
  await visit.context.clearCookies();

  await sign_in('u-1003');
  const admin = `${demo}/sso/admin`;
  for (const name of ['', 'sessions', 'sign-ins', 'identities', 'tests']) {
    await visit.look_at(`full-console-${name || 'overview'}`, `${admin}/${name}`);
  }
  await visit.tab_through('full-console-tests');
  await page.goto(`${admin}/sign-ins?username=carla`);
  await visit.press(page.locator(`a[href*="/sso/admin/sign-ins/"]`).first());
  check(await page.locator('.steps li').count() > 3, 'a sign-in has no steps');
  await visit.look_at('full-console-reasons');
  await page.goto(`${admin}/identities?search=ben`);
  await visit.press(page.locator('a[href*="/identities/relink?"]').first());
  await visit.look_at('full-console-relink');
  await page.locator('input[name="username"]').fill('benjamin');
  await visit.press(page.locator('main form button').first());
  await visit.look_at('full-console-relink-confirm');
  await page.goto(`${admin}/identities?search=ben`);
  await visit.press(page.locator('a[href*="/identities/forget?"]').first());
  await visit.look_at('full-console-forget-confirm');
  await page.goto(`${admin}/tests`);
  await visit.press(page.locator('a[href*="/tests/address"]').first());
  await visit.look_at('full-console-address-confirm');
  await visit.press(page.locator('main form button').first());
  await visit.look_at('full-console-address');
  await page.goto(`${admin}/sessions?username=ben`);
  await visit.press(page.locator('a[href*="/sessions/revoke?handle="]').first());
  await visit.look_at('full-console-revoke-one');
  await visit.press(page.locator('main form button').first());
  await visit.look_at('full-console-revoked');
  await visit.look_at('full-account', `${demo}/sso/account`);
  await visit.end();
}

async function translated(locale) {
  for (const look of ['desktop-light', 'phone-dark']) {
    const visit = await Visit.begin(look, locale);
    for (const [name, address, status] of [
      ['sign-in', `${choice}/sso/login?email=ana`, 400],
      ['countdown', `${countdown}/sso/login`, 200],
      ['emergency', `${choice}/backdoor`, 200],
      ['error', `${choice}/sso/start/github`, 504],
    ]) {
      await visit.look_at(`${locale}-${name}`, address, status);
      check(await visit.page.locator('html').getAttribute('lang') === locale, `${locale}: ${address} speaks another language`);
    }
    await visit.sign_in();
    await visit.look_at(`${locale}-account`, `${choice}/sso/account`);
    for (const path of ['', 'sessions', 'sign-ins', 'identities', 'tests', 'configuration']) {
      await visit.look_at(`${locale}-console-${path || 'overview'}`, `${choice}/sso/admin/${path}`);
      check(await visit.page.locator('html').getAttribute('lang') === locale, `${locale}: the console speaks another language`);
    }
    await visit.end();
  }
}

try {
  for (const look of Object.keys(looks)) {
    await strangers(look);
    await administrator(look);
    await with_a_provider(look);
  }
  for (const locale of languages) await translated(locale);
  check(found.length === 0, `${found.length} faults:\n${[...new Set(found)].join('\n')}`);
  ok(`${looked} views of every page, in four looks and six languages: axe-core finds nothing, nothing is too wide`);
  ok('the keyboard reaches everything, and the focus can be seen');
} catch (error) {
  if (found.length) console.error(found.join('\n'));
  console.error(`FAILED: ${error.stack}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
