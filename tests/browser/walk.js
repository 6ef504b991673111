'use strict';
// One visitor in one browser: a context with its own cookies and one page, worked as a person works it - by the names
// that labels, links and buttons have. Every step also watches for what no page may do: errors on the console, requests
// that leave the server or fail, a page too heavy, an answer with another status than the step expects. What is wrong is
// thrown as an Error whose message says what was seen.
const fs = require('node:fs');
const path = require('node:path');

const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const HEAVIEST_PAGE = 60 * 1024;  // octets transferred, all that belongs to the page included
const PHONE = { width: 390, height: 844 };
const DESK = { width: 1280, height: 800 };
const STEP_MS = 60000;  // not a measure of the pages: machines stand still for many seconds

class Walk {
  // config: {url: where the server is, screenshots: folder}; options: {script: false for a browser without JavaScript}
  static async begin(browser, config, options = {}) {
    const context = await browser.newContext({
      baseURL: config.url, ignoreHTTPSErrors: true, javaScriptEnabled: options.script !== false, viewport: DESK,
      colorScheme: 'light', reducedMotion: 'reduce', acceptDownloads: true,
    });
    context.setDefaultTimeout(STEP_MS);
    return new Walk(context, await context.newPage(), config);
  }

  constructor(context, page, config) {
    this.context = context;
    this.page = page;
    this.config = config;
    this.origin = new URL(config.url).origin;
    this.problems = [];
    this.weights = new Map();  // URL -> octets, for what the cache keeps
    this.resources = new Set();  // what the present page is made of
    this.pending = [];  // sizes not yet known
    this.document = null;  // the response that made the present page
    this.watch();
  }

  async end() {
    await this.context.close();
  }

  watch() {
    this.page.on('console', (message) => {
      const text = message.text();
      // The browser's own word for a status of 400 and more; the step that caused it compares the status.
      if (/^Failed to load resource: the server responded/.test(text)) return;
      if (message.type() === 'error' || message.type() === 'warning') this.problems.push(`console: ${text}`);
    });
    this.page.on('dialog', (dialog) => {
      // "What was typed is not sent yet": the walks know what they leave.
      if (dialog.type() !== 'beforeunload') this.problems.push(`a dialogue: ${dialog.message()}`);
      return dialog.accept();
    });
    this.page.on('pageerror', (error) => this.problems.push(`script error: ${error.message}`));
    this.page.on('request', (request) => {
      if (this.isPage(request)) this.resources = new Set();
      const url = new URL(request.url());
      if (url.protocol !== 'data:' && url.origin !== this.origin) this.problems.push(`a request to ${url.origin}`);
    });
    this.page.on('requestfailed', (request) => {
      // A download is, to the browser, a page that did not come.
      if (this.downloading && request.isNavigationRequest()) return;
      // What was on its way when the page was left.
      if (request.failure().errorText === 'net::ERR_ABORTED' && !request.isNavigationRequest()) return;
      this.problems.push(`request failed: ${request.url()}: ${request.failure().errorText}`);
    });
    this.page.on('response', (response) => {
      if (this.isPage(response.request())) this.document = response;
      else if (response.status() >= 400) this.problems.push(`${response.status()} for ${response.url()}`);
    });
    this.page.on('requestfinished', (request) => this.pending.push(this.weigh(request)));
  }

  isPage(request) {
    return request.isNavigationRequest() && request.frame() === this.page.mainFrame();
  }

  async weigh(request) {
    this.resources.add(request.url());
    const sizes = await request.sizes().catch(() => null);
    if (!sizes) return;
    const octets = sizes.responseBodySize + sizes.responseHeadersSize;
    this.weights.set(request.url(), Math.max(octets, this.isPage(request) ? 0 : this.weights.get(request.url()) || 0));
  }

  // ---- steps

  async open(where, expected = {}) {
    await this.page.goto(where, { waitUntil: 'load' });
    await this.arrived(expected);
  }

  // Follows a link. `within` narrows the search: a locator.
  async follow(name, expected = {}, within = this.page) {
    await this.step(within.getByRole('link', { name, exact: typeof name === 'string' }), expected);
  }

  // Presses a button that leads to another page.
  async press(name, expected = {}, within = this.page) {
    await this.step(within.getByRole('button', { name, exact: typeof name === 'string' }), expected);
  }

  async step(locator, expected) {
    await this.one(locator);
    await Promise.all([this.page.waitForNavigation({ waitUntil: 'load' }), locator.click()]);
    await this.arrived(expected);
  }

  // The present page has the status that was expected (200 unless said), and nothing was wrong on the way to it.
  async arrived({ status = 200, heading } = {}) {
    const pending = this.pending;
    this.pending = [];
    await Promise.all(pending);
    const seen = this.document ? this.document.status() : 0;
    if (seen !== status) throw new Error(`${this.page.url()}: status ${seen}, not ${status}: ${await this.says()}`);
    const weight = [...this.resources].reduce((sum, url) => sum + (this.weights.get(url) || 0), 0);
    if (weight > HEAVIEST_PAGE) this.problems.push(`the page weighs ${weight} octets`);
    if (heading !== undefined) await this.expectHeading(heading);
    this.good();
  }

  good() {
    if (!this.problems.length) return;
    const text = this.problems.join('; ');
    this.problems = [];
    throw new Error(`${this.page.url()}: ${text}`);
  }

  async download(name) {
    this.downloading = true;
    const [download] = await Promise.all([
      this.page.waitForEvent('download'), this.page.getByRole('link', { name, exact: typeof name === 'string' }).click()]);
    const file = await download.path();
    this.downloading = false;
    return { name: download.suggestedFilename(), text: fs.readFileSync(file, 'utf8') };
  }

  // ---- fields, by their accessible names

  async one(locator) {
    const count = await locator.count();
    if (count !== 1) throw new Error(`${this.page.url()}: ${count} elements where one is meant: ${locator}: ${await this.says()}`);
    return locator;
  }

  // By its label, as it is spoken; a field that has to be filled in says so behind its name.
  field(label) {
    const name = label.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return this.page.getByLabel(new RegExp(`^\\s*${name}( \\(required\\))?\\s*$`));
  }

  async fill(fields) {
    for (const [label, value] of Object.entries(fields)) {
      const field = await this.one(this.field(label));
      const kind = await field.evaluate((e) => (e.tagName === 'SELECT' ? 'select' : e.getAttribute('role') || e.type));
      if (kind === 'select') await field.selectOption({ label: value });
      else if (kind === 'checkbox' || kind === 'radio') await field.setChecked(value);
      else if (kind === 'radiogroup') await field.getByLabel(value, { exact: true }).check();
      else await field.fill(value);
    }
  }

  async value(label) {
    const field = await this.one(this.field(label));
    return field.evaluate((e) => {
      if (e.getAttribute('role') !== 'radiogroup') return e.value;
      const checked = e.querySelector('input:checked');
      return checked ? checked.labels[0].innerText.trim() : null;
    });
  }

  // One of several choices under a legend.
  async choose(legend, choice) {
    const group = await this.one(this.page.getByRole('group', { name: legend, exact: true }));
    await group.getByLabel(choice, { exact: true }).check();
  }

  // The error that belongs to a field, for the eye (near it) and for a screen reader (named by it).
  async errorBeside(label) {
    const field = await this.one(this.field(label));
    return field.evaluate((e) => {
      const name = e.name || e.getAttribute('aria-labelledby');
      if (e.getAttribute('aria-invalid') !== 'true') throw new Error(`the field ${name} is not marked as wrong`);
      const ids = `${e.getAttribute('aria-errormessage') || ''} ${e.getAttribute('aria-describedby') || ''}`;
      const errors = ids.split(/\s+/).filter(Boolean).map((id) => document.getElementById(id))
        .filter((x) => x && x.matches('.error'));
      if (errors.length !== 1) throw new Error(`the field ${name} names ${errors.length} errors`);
      const b = errors[0].getBoundingClientRect();
      const parts = e.name ? [...document.getElementsByName(e.name)] : [e];  // a password is typed twice
      const gap = Math.min(...parts.map((x) => x.getBoundingClientRect())
        .map((a) => Math.max(b.top - a.bottom, a.top - b.bottom, 0)));
      if (!b.height || gap > 60) throw new Error(`the error of ${name} stands ${gap} px away from it`);
      return errors[0].innerText.trim();
    });
  }

  // ---- what the page says

  // The text of the page, for people; for messages of failure shortened.
  async text() {
    return this.page.locator('body').innerText();
  }

  async says() {
    return JSON.stringify((await this.text().catch(() => '')).replace(/\s+/g, ' ').slice(0, 400));
  }

  async expectHeading(wanted) {
    const seen = (await this.page.getByRole('heading', { level: 1 }).allInnerTexts()).join(' | ');
    const good = wanted instanceof RegExp ? wanted.test(seen) : seen === wanted;
    if (!good) throw new Error(`${this.page.url()}: the heading is ${JSON.stringify(seen)}, not ${wanted}: ${await this.says()}`);
  }

  async expectText(wanted) {
    const text = await this.text();
    const good = wanted instanceof RegExp ? wanted.test(text) : text.includes(wanted);
    if (!good) throw new Error(`${this.page.url()} does not say ${wanted}: ${await this.says()}`);
  }

  async expectNoText(unwanted) {
    const text = await this.text();
    const found = unwanted instanceof RegExp ? unwanted.test(text) : text.includes(unwanted);
    if (found) throw new Error(`${this.page.url()} says ${unwanted}`);
  }

  // ---- often asked

  async logIn(login, password, expected = {}) {
    await this.open('/log-in');
    await this.fill({ 'E-mail address': login, Password: password });
    await this.press('Authenticate', expected);
  }

  async logOut() {
    await this.press('Log out', { heading: 'Authentication' });
    await this.expectText('You are logged out');
  }

  // ---- whole pages

  // All that every page has to pass, and its pictures: NAME-light.png, NAME-dark.png, NAME-phone.png.
  async inspect(name) {
    const wrong = [];
    const collect = async (what) => { wrong.push(...(await what)); };
    await collect(this.structure());
    await collect(this.accessibility('light'));
    await this.picture(`${name}-light`);
    await this.page.emulateMedia({ colorScheme: 'dark' });
    await collect(this.accessibility('dark', ['color-contrast']));
    await this.picture(`${name}-dark`);
    await this.page.emulateMedia({ colorScheme: 'light' });
    await this.page.setViewportSize(PHONE);
    await collect(this.narrow());
    await this.picture(`${name}-phone`);
    await this.page.setViewportSize(DESK);
    await collect(this.keyboard());
    this.good();
    if (wrong.length) throw new Error(`${name}: ${wrong.join('; ')}`);
  }

  async picture(name) {
    await this.page.screenshot({ path: path.join(this.config.screenshots, `${name}.png`), fullPage: true });
  }

  // Language, title, one main heading, a way to skip the menu, no script or style in the page itself.
  async structure() {
    return this.page.evaluate(() => {
      const wrong = [];
      if (!document.documentElement.lang) wrong.push('no language');
      if (!document.title) wrong.push('no title');
      if (document.querySelectorAll('h1').length !== 1) wrong.push('not one h1');
      if (document.querySelectorAll('main').length !== 1) wrong.push('not one main');
      if (!document.querySelector('meta[name=viewport]')) wrong.push('no viewport for phones');
      if (document.querySelector('script:not([src])')) wrong.push('a script in the page');
      if (document.querySelector('style')) wrong.push('a style sheet in the page');
      for (const e of document.querySelectorAll('[style]')) wrong.push(`a style in <${e.tagName}>`);
      return wrong;
    });
  }

  // Serious and critical faults that axe-core finds; `rules` limits it to these.
  async accessibility(when, rules) {
    if (!(await this.page.evaluate(() => typeof window.axe !== 'undefined'))) await this.page.evaluate(axe);
    const found = await this.page.evaluate(
      (only) => window.axe.run(document, only ? { runOnly: { type: 'rule', values: only } } : {}), rules);
    return found.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')
      .map((v) => `axe (${when}) ${v.id}: ${v.help}: ` +
                  v.nodes.slice(0, 3).map((n) => `${n.target} ${n.any.map((a) => a.message).join(' ')}`).join(', '));
  }

  // On a phone nothing may need sideways scrolling but what scrolls by itself, and what is touched is big enough.
  async narrow() {
    return this.page.evaluate(() => {
      const wrong = [];
      const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
      if (wide > 0) wrong.push(`${wide} px too wide for a phone`);
      for (const e of document.querySelectorAll('button, input:not([type=hidden]), select')) {
        const box = e.getBoundingClientRect();
        const label = e.labels && e.labels[0] ? e.labels[0].getBoundingClientRect().height : 0;
        if (box.width && Math.max(box.height, label) < 24) wrong.push(`${e.name || e.innerText} is ${box.height} px high`);
      }
      return wrong;
    });
  }

  // The Tab key reaches every control, and it shows where it is.
  async keyboard() {
    const wrong = [];
    const controls = await this.page.evaluate(() => {
      document.activeElement.blur();
      const all = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')];
      const groups = new Set();
      window.walkControls = all.filter((e) => {
        if (e.disabled || e.type === 'hidden' || e.tabIndex < 0 || !e.checkVisibility({ visibilityProperty: true })) return false;
        if (e.type !== 'radio') return true;
        const key = `${e.form ? [...document.forms].indexOf(e.form) : ''}/${e.name}`;  // one stop for a group
        if (groups.has(key)) return false;
        groups.add(key);
        return true;
      });
      window.walkLook = (e) => {
        const at = (x) => { const s = getComputedStyle(x); return [s.outlineStyle, s.outlineWidth, s.boxShadow, s.borderColor, s.backgroundColor, s.clip, s.transform, s.top].join(); };
        return at(e) + (e.labels && e.labels[0] ? at(e.labels[0]) : '') + at(e.parentElement);
      };
      window.walkBefore = new Map(window.walkControls.map((e) => [e, window.walkLook(e)]));
      window.walkSeen = new Set();
      return window.walkControls.length;
    });
    for (let i = 0; i < controls + 3; ++i) {
      await this.page.keyboard.press('Tab');
      const fault = await this.page.evaluate(() => {
        const e = document.activeElement;
        if (!e || e === document.body) return null;
        const same = (x) => x === e || (e.type === 'radio' && x.type === 'radio' && x.name === e.name && x.form === e.form);
        const control = window.walkControls.find(same);
        if (!control || window.walkSeen.has(control)) return null;
        window.walkSeen.add(control);
        const before = window.walkBefore.get(e);
        return before !== undefined && before === window.walkLook(e) ? `no focus to be seen on ${e.outerHTML.slice(0, 80)}` : null;
      });
      if (fault) wrong.push(fault);
    }
    wrong.push(...await this.page.evaluate(() => window.walkControls.filter((e) => !window.walkSeen.has(e))
      .map((e) => `Tab does not reach ${e.outerHTML.slice(0, 80)}`)));
    return wrong.slice(0, 10);
  }
}

module.exports = { Walk };
