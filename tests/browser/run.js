'use strict';
// The browser's side of the web tests: one browser for a whole run, one walk for each line on standard input, a JSON object
// {"file", "walk", "config"}. On standard output: "ok NAME" for each thing that was shown, "FAIL NAME: what was seen",
// "ask {...}" for what only the other side can do (it answers with a line of JSON), "end" after each walk.
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { chromium } = require('playwright-core');
const { Walk } = require('./walk.js');

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (line) => fs.writeSync(1, `${line}\n`);
const flat = (error) => `${error && error.message ? error.message : error}`.replace(/\x1b\[[0-9;]*m/g, '').replace(/\s*\n\s*/g, ' | ');

async function next() {
  const { value, done } = await lines.next();
  return done ? null : JSON.parse(value);
}

// What a walk works with beside its visitors.
class Guide {
  constructor(browser, config) {
    this.browser = browser;
    this.config = config;
    this.visitors = [];
    this.failed = false;
  }

  async visitor(options = {}) {
    const walk = await Walk.begin(this.browser, this.config, { script: this.config.script, ...options });
    this.visitors.push(walk);
    return walk;
  }

  // One thing that is shown; what follows it in the walk goes on either way.
  async show(name, action) {
    try {
      await action();
      say(`ok ${name}`);
    } catch (error) {
      this.failed = true;
      say(`FAIL ${name}: ${flat(error)}`);
      await this.evidence(name);
    }
  }

  async ask(what, ...words) {
    say(`ask ${JSON.stringify({ what, words })}`);
    const answer = await next();
    if (answer.error !== undefined) throw new Error(`${what}: ${answer.error}`);
    return answer.value;
  }

  async evidence(name) {
    for (const [i, walk] of this.visitors.entries()) {
      await walk.picture(`failed-${name.replace(/[^a-z0-9]+/gi, '-').slice(0, 60)}-${i}`).catch(() => {});
    }
  }

  async end() {
    for (const walk of this.visitors) await walk.end();
  }
}

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium', headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  for (let order = await next(); order !== null; order = await next()) {
    const guide = new Guide(browser, order.config);
    fs.mkdirSync(order.config.screenshots, { recursive: true });
    try {
      await require(path.join(__dirname, order.file))[order.walk](guide);
    } catch (error) {
      say(`FAIL ${order.walk}: ${flat(error)}`);
      await guide.evidence(order.walk);
    }
    await guide.end();
    say('end');
  }
  await browser.close();
}

main().catch((error) => { say(`FAIL the browser: ${flat(error)}`); process.exit(1); });
