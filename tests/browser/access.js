'use strict';
// Who gets in at all: the three steps before the first form, and how a session ends.
const assert = require('node:assert');

async function refused_address(guide) {
  const { user } = guide.config;
  const walk = await guide.visitor();
  await guide.show('an address outside the list gets no authentication form', async () => {
    await guide.ask('form_set', 'system-security', { 'Limit-Configuration-via-Web-Forms': ['192.0.2.0/24'] });
    await walk.open('/log-in', { status: 403 });
    assert.equal(await walk.page.getByRole('textbox').count(), 0);
    await walk.expectText('127.0.0.1');
  });
  await guide.show('one inside the list does', async () => {
    await guide.ask('form_set', 'system-security', { 'Limit-Configuration-via-Web-Forms': ['127.0.0.0'] });
    await walk.open('/log-in', { heading: 'Authentication' });
  });
  await guide.show("an account's own restriction", async () => {
    await guide.ask('account_set', user.address, { 'General-Access-Restrictions': ['192.0.2.0/24'] });
    await walk.logIn(user.address, user.password, { status: 403 });
    await walk.expectText('Not from here');
    await guide.ask('account_set', user.address, { 'General-Access-Restrictions': [''] });
    await walk.logIn(user.address, user.password);
  });
}

async function idle(guide) {
  const { user } = guide.config;
  const walk = await guide.visitor();
  const busy = await guide.visitor();
  await guide.show('each request renews the session', async () => {
    await guide.ask('form_set', 'system-security', { 'Web-Idle-Limit': '40' });
    for (const visitor of [walk, busy]) await visitor.logIn(user.address, user.password);
    await walk.fill({ 'Finger Information': 'typed slowly' });
    const end = Date.now() + 41000;
    while (Date.now() < end) {  // each time long before its own limit
      await busy.page.waitForTimeout(2000);
      await busy.open('/account', { heading: 'Individual Account Information' });
    }
  });
  await guide.show('idle time ends it; what was typed comes back after the log-in', async () => {
    await walk.press('Save changes', { status: 403, heading: 'Authentication' });
    await walk.expectText('Nothing was changed yet');
    assert.doesNotMatch(await guide.ask('finger', user.address), /typed slowly/);
    await walk.fill({ 'E-mail address': user.address, Password: user.password });
    await walk.press('Authenticate', { heading: 'Individual Account Information' });
    assert.equal(await walk.value('Finger Information'), 'typed slowly');
    assert.doesNotMatch(await guide.ask('finger', user.address), /typed slowly/);
    await walk.press('Save changes');
    assert.match(await guide.ask('finger', user.address), /typed slowly/);
  });
}

async function slow_down(guide) {
  await guide.show('after many wrong passwords none is looked at for a while', async () => {
    const { victim } = guide.config;
    const walk = await guide.visitor();
    await guide.ask('form_set', 'system-security', { 'Log-In-Failures-per-Account': '3' });
    let status = 0;
    for (let i = 0; i < 6 && status !== 429; ++i) {
      await walk.page.goto('/log-in');
      await walk.fill({ 'E-mail address': victim.address, Password: `guess ${i}` });
      await Promise.all([walk.page.waitForNavigation(), walk.page.getByRole('button', { name: 'Authenticate' }).click()]);
      status = walk.document.status();
    }
    assert.equal(status, 429);
    await walk.expectText(/Try again in \d+ second/);
  });
}

module.exports = { refused_address, idle, slow_down };
