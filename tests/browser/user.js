'use strict';
// A user's pages: what somebody without any other right sees and changes of himself. guide.config: {user: {login, address,
// password}, ...} as tests/system/test_web.py says.
const assert = require('node:assert');

const OWN = 'Individual Account Information';

async function logged_in(guide) {
  const walk = await guide.visitor();
  await walk.logIn(guide.config.user.address, guide.config.user.password, { heading: OWN });
  return walk;
}

async function log_in(guide) {
  const { user } = guide.config;
  const walk = await guide.visitor();
  await guide.show('the first page asks who it is', async () => {
    await walk.open('/', { heading: 'Authentication' });
    assert.equal(await walk.field('Password').getAttribute('type'), 'password');
  });
  await guide.show('a wrong password is refused, and the address kept', async () => {
    await walk.logIn(user.address, 'not the password', { status: 403, heading: 'Authentication' });
    await walk.expectText('Access denied');
    assert.equal(await walk.value('E-mail address'), user.address);
    assert.equal(await walk.value('Password'), '');
  });
  await guide.show('an address that nobody has is refused in the same words', async () => {
    const known = await walk.text();
    await walk.logIn(`nobody@${user.address.split('@')[1]}`, user.password, { status: 403 });
    assert.equal(await walk.text(), known);
  });
  await guide.show('the right password leads to the first form', async () => {
    await walk.logIn(user.address, user.password, { heading: OWN });
    await walk.expectText(user.address);
  });
  await guide.show('the POP login name will do as well', async () => {
    const other = await guide.visitor();
    await other.logIn(user.login, user.password, { heading: OWN });
  });
  await guide.show('the token is no secret of a script, and of this host alone', async () => {
    const cookies = await walk.context.cookies();
    assert.equal(cookies.length, 1);
    assert.ok(cookies[0].httpOnly && cookies[0].secure && cookies[0].sameSite !== 'None', JSON.stringify(cookies[0]));
    assert.match(cookies[0].name, /^__Host-/);
  });
  await guide.show('a page that was asked for comes after the log-in', async () => {
    const other = await guide.visitor();
    await other.open('/account/sign-ins', { status: 403, heading: 'Authentication' });
    await other.fill({ 'E-mail address': user.address, Password: user.password });
    await other.press('Authenticate', { heading: 'Sign-ins' });
  });
  await guide.show('after the log-out nothing is shown', async () => {
    await walk.logOut();
    await walk.open('/account', { status: 403, heading: 'Authentication' });
  });
}

async function own_account(guide) {
  const { user, other } = guide.config;
  const walk = await logged_in(guide);
  await guide.show('forwarding', async () => {
    await walk.fill({ 'Forwarding Addresses': other.address });
    await walk.press('Save changes');
    await walk.expectText('Saved');
    await guide.ask('deliver', user.address, 'forwarded to another');
    await guide.ask('arrived', other.login, 'forwarded to another');
    await guide.ask('arrived', user.login, 'forwarded to another');
  });
  await guide.show('no POP3 delivery', async () => {
    await walk.fill({ 'POP3 Delivery': 'No' });
    await walk.press('Save changes');
    await guide.ask('deliver', user.address, 'not kept here');
    await guide.ask('arrived', other.login, 'not kept here');
    assert.equal(await guide.ask('pop3', user.login, user.password), 'refused');
    await walk.fill({ 'POP3 Delivery': 'Yes', 'Forwarding Addresses': '' });
    await walk.press('Save changes');
    assert.equal(await guide.ask('has', user.login, 'not kept here'), false);
  });
  await guide.show('finger information', async () => {
    await walk.fill({ 'Finger Information': 'Room 12\nback on Monday' });
    await walk.press('Save changes');
    assert.match(await guide.ask('finger', user.address), /Room 12\r?\n.*back on Monday/);
    await walk.fill({ 'Finger Allowed': 'No' });
    await walk.press('Save changes');
    assert.doesNotMatch(await guide.ask('finger', user.address), /Room 12/);
  });
  await guide.show('a form that is not right keeps what was typed', async () => {
    await walk.open('/account');
    await walk.fill({ 'Forwarding Addresses': 'not an address', 'Finger Information': 'typed before' });
    await walk.press('Save changes', { status: 422, heading: OWN });
    assert.match(await walk.errorBeside('Forwarding Addresses'), /not an address/);
    assert.equal(await walk.value('Forwarding Addresses'), 'not an address');
    assert.equal(await walk.value('Finger Information'), 'typed before');
    await walk.expectText('Nothing was changed');
  });
  await guide.show('nothing to change', async () => {
    await walk.open('/account');
    await walk.press('Save changes', { heading: OWN });
    await walk.expectText('Nothing to change');
  });
}

async function own_password(guide) {
  const { user } = guide.config;
  const walk = await logged_in(guide);
  const chosen = 'Another one, longer';
  await guide.show('too short a password', async () => {
    await walk.fill({ 'Mail Account Password': 'short', 'Once more': 'short' });
    await walk.press('Save changes', { status: 422 });
    assert.match(await walk.errorBeside('Mail Account Password'), /6 characters/);
    assert.equal(await walk.value('Mail Account Password'), '');
  });
  await guide.show('two that differ', async () => {
    await walk.fill({ 'Mail Account Password': chosen, 'Once more': 'Another one, lunger' });
    await walk.press('Save changes', { status: 422 });
    await walk.errorBeside('Mail Account Password');
    assert.equal(await guide.ask('pop3', user.login, user.password), 'welcome');
  });
  await guide.show('a new password is good at once, the old one no more', async () => {
    await walk.fill({ 'Mail Account Password': chosen, 'Once more': chosen });
    await walk.press('Save changes');
    await walk.expectText('Saved');
    await walk.expectNoText(chosen);
    assert.equal(await guide.ask('pop3', user.login, chosen), 'welcome');
    assert.equal(await guide.ask('pop3', user.login, user.password), 'refused');
  });
  await guide.show('the history names the change, not the password', async () => {
    await walk.open('/account/history');
    await walk.expectText('Mail Account Password');
    await walk.expectText(/by web/);
    await walk.expectNoText(chosen);
  });
}

async function application_passwords(guide) {
  const { user } = guide.config;
  const walk = await logged_in(guide);
  let secret;
  await guide.show('without a name there is none', async () => {
    await walk.follow('Application passwords', { heading: 'Application passwords' });
    await walk.press('Make a password', { status: 422 });
    assert.match(await walk.errorBeside('Name'), /name/);
  });
  await guide.show('one is made and shown once', async () => {
    await walk.fill({ Name: 'the phone' });
    await walk.press('Make a password');
    secret = (await walk.page.locator('code.secret').innerText()).trim();
    assert.ok(secret.length >= 16, 'too short a secret');
    await walk.open('/account/passwords');
    await walk.expectText('the phone');
    await walk.expectNoText(secret);
  });
  await guide.show('it is good for POP3 and for sending, not for these pages', async () => {
    assert.equal(await guide.ask('pop3', user.login, secret), 'welcome');
    assert.equal(await guide.ask('submit', user.address, secret), 'welcome');
    const other = await guide.visitor();
    await other.logIn(user.address, secret, { status: 403 });
  });
  await guide.show('its last use is shown', async () => {
    await walk.open('/account/passwords');
    const row = walk.page.getByRole('row', { name: /the phone/ });
    assert.match(await row.innerText(), /from 127\.0\.0\.1/);
  });
  await guide.show('one that is revoked is good for nothing, after a question', async () => {
    await walk.follow(/^Revoke/, { heading: /^Revoke the phone/ });
    await walk.follow('Keep it', { heading: 'Application passwords' });
    assert.equal(await guide.ask('pop3', user.login, secret), 'welcome');
    await walk.follow(/^Revoke/, { heading: /^Revoke the phone/ });
    await walk.press('Revoke it', { heading: 'Application passwords' });
    await walk.expectText('is revoked');
    await walk.expectText('There are none yet');
    assert.equal(await guide.ask('pop3', user.login, secret), 'refused');
    assert.equal(await guide.ask('pop3', user.login, user.password), 'welcome');
  });
}

async function sign_ins(guide) {
  const { user } = guide.config;
  await guide.show('who used the account, and who tried', async () => {
    assert.equal(await guide.ask('pop3', user.login, 'a guess'), 'refused');
    assert.equal(await guide.ask('pop3', user.login, user.password), 'welcome');
    const walk = await logged_in(guide);
    await walk.follow('Sign-ins', { heading: 'Sign-ins' });
    const rows = await walk.page.getByRole('row').allInnerTexts();
    for (const wanted of [/POP3.*127\.0\.0\.1.*refused: wrong password/s, /POP3.*127\.0\.0\.1.*password/s, /web.*127\.0\.0\.1/s]) {
      assert.ok(rows.some((row) => wanted.test(row)), `${wanted} is not in ${JSON.stringify(rows)}`);
    }
  });
}

async function history_and_undo(guide) {
  const { user } = guide.config;
  const walk = await logged_in(guide);
  await guide.show('a change is undone from the page that says it was made', async () => {
    await walk.fill({ 'Finger Information': 'a line to be taken back' });
    await walk.press('Save changes');
    await walk.press(/^Undo/);
    assert.equal(await walk.value('Finger Information'), '');
    assert.doesNotMatch(await guide.ask('finger', user.address), /taken back/);
  });
  await guide.show('and from the history', async () => {
    await walk.follow('History', { heading: /^History/ });
    const changes = await walk.page.getByRole('listitem').filter({ hasText: 'a line to be taken back' }).count();
    assert.ok(changes >= 2, 'the change and its undoing');
    await walk.step(walk.page.getByRole('button', { name: /^Undo/ }).first(), {});
    await walk.open('/account');
    assert.equal(await walk.value('Finger Information'), 'a line to be taken back');
  });
}

async function not_for_users(guide) {
  const walk = await logged_in(guide);
  for (const path of ['/accounts', '/accounts/new', '/accounts/1', '/accounts/2/remove', '/settings/system-security', '/queue',
    '/queue/counts', '/import', '/export', '/route', '/setup']) {
    await guide.show(`${path} is not for users`, async () => {
      await walk.open(path, { status: 403 });
      await walk.expectNoText('Limit Configuration');
    });
  }
  await guide.show('what is not there', async () => walk.open('/no/such/page', { status: 404 }));
  await guide.show('the menu has nothing that leads there', async () => {
    await walk.open('/account');
    const links = await walk.page.getByRole('navigation').getByRole('link').all();
    assert.notEqual(links.length, 0);
    for (const link of links) assert.match(await link.getAttribute('href'), /^\/(account|story)([/?]|$)/);
  });
}

module.exports = { log_in, own_account, own_password, application_passwords, sign_ins, history_and_undo, not_for_users };
