'use strict';
// A Postmaster's pages: the list of accounts, one account's life, the system's forms, history and conflicts. Each change is
// looked for where it works: by SMTP, POP3, finger or the command line.
const assert = require('node:assert');

async function postmaster(guide) {
  const walk = await guide.visitor();
  await walk.logIn('Postmaster', guide.config.postmaster);
  return walk;
}

// Changes these fields of that form and saves it.
async function change(walk, form, fields) {
  await walk.open(`/settings/${form}`);
  await walk.fill(fields);
  await walk.press('Save changes');
  await walk.expectText('Saved');
}

const rows = (walk) => walk.page.locator('tbody tr');
const firstColumn = (walk) => walk.page.locator('tbody th').allInnerTexts();

// ---- the list

async function list_of_accounts(guide) {
  const walk = await postmaster(guide);
  await guide.show('the first form is the List of Accounts: its beginning, then all of it', async () => {
    await walk.expectText('List of Accounts');
    assert.equal(await walk.page.locator('table', { hasText: 'Primary address' }).locator('tbody tr').count(), 20);
    await walk.follow('All accounts', { heading: 'List of Accounts' });
    assert.equal(await rows(walk).count(), 50);
    await walk.expectText(`${guide.config.accounts} accounts`);
  });
  await guide.show('pages', async () => {
    const first = await firstColumn(walk);
    await walk.follow('Next');
    const second = await firstColumn(walk);
    assert.equal(second.filter((address) => first.includes(address)).length, 0);
    await walk.follow('Last');
    assert.equal(await rows(walk).count(), guide.config.accounts % 50 || 50);
    await walk.follow('Previous');
    await walk.follow('First');
    assert.deepEqual(await firstColumn(walk), first);
  });
  await guide.show('sorted by each column, both ways', async () => {
    await walk.follow(/^Number/);
    await walk.follow(/^Number/);
    const numbers = (await walk.page.locator('td[data-label=Number]').allInnerTexts()).map(Number);
    assert.deepEqual(numbers, [...numbers].sort((a, b) => b - a));
    assert.ok(numbers[0] >= guide.config.accounts, `the largest number is ${numbers[0]}`);
    await walk.follow(/^Name/);
    const names = (await walk.page.locator('td[data-label=Name]').allInnerTexts()).map((n) => n.toLowerCase());
    assert.deepEqual(names, [...names].sort());
    await walk.follow(/^Primary address/);
    const addresses = (await firstColumn(walk)).map((address) => address.toLowerCase());
    assert.deepEqual(addresses, [...addresses].sort());
  });
  await guide.show('search', async () => {
    await walk.fill({ Search: 'user17@' });
    await walk.press('Search');
    assert.deepEqual(await firstColumn(walk), ['user17@post.example']);
    await walk.fill({ Search: 'user1*@post.example' });
    await walk.press('Search');
    const found = await firstColumn(walk);
    assert.equal(found.length, Math.min(guide.config.matching, 50));
    for (const address of found) assert.match(address, /^user1/);
    await walk.fill({ Search: '<b>&"nobody' });
    await walk.press('Search');
    await walk.expectText('No account matches');
    assert.equal(await walk.value('Search'), '<b>&"nobody');
  });
}

// ---- an account's life

async function account_life(guide) {
  const walk = await postmaster(guide);
  const address = 'jane.doe@post.example', password = "Jane's own words";
  await guide.show('an account that is not right is not added', async () => {
    await walk.open('/accounts');
    await walk.follow('Add an account', { heading: 'Add an account' });
    await walk.fill({ "User's Real Name": '', 'Internet Addresses': 'user1@post.example', 'POP Login Name': 'jane' });
    await walk.press('Add the account', { status: 422 });
    await walk.errorBeside("User's Real Name");
    await walk.fill({ "User's Real Name": 'Jane' });
    await walk.press('Add the account', { status: 422 });
    assert.match(await walk.errorBeside('Internet Addresses'), /user1@post\.example/);
    assert.equal(await walk.value('POP Login Name'), 'jane');
  });
  await guide.show('one is added, and its mail and its password work', async () => {
    await walk.fill({ "User's Real Name": 'Jane <Doe> & "Sons"', 'Internet Addresses': `${address}\njane@post.example`,
      'Mail Account Password': password, 'Once more': password });
    await walk.press('Add the account', { heading: address });
    assert.equal(await walk.value("User's Real Name"), 'Jane <Doe> & "Sons"');
    await guide.ask('deliver', 'jane@post.example', 'for Jane');
    assert.equal(await guide.ask('pop3', 'jane', password), 'welcome');
    await guide.ask('arrived', 'jane', 'for Jane', password);
  });
  await guide.show('it is changed', async () => {
    await walk.fill({ 'Internet Addresses': address, 'From Address Rewrite': 'comment' });
    await walk.press('Save changes', { heading: address });
    assert.equal(await guide.ask('rcpt', 'jane@post.example'), 550);
    assert.equal(await guide.ask('rcpt', address), 250);
  });
  await guide.show('it is locked and unlocked', async () => {
    await walk.press('Lock this account', { heading: address });
    assert.equal(await guide.ask('pop3', 'jane', password), 'refused');
    const jane = await guide.visitor();
    await jane.logIn(address, password, { status: 403 });
    await jane.expectText('locked');
    await walk.press('Unlock this account', { heading: address });
    assert.equal(await guide.ask('pop3', 'jane', password), 'welcome');
  });
  await guide.show('removal asks what becomes of the mail', async () => {
    await walk.follow(/^Remove this account/, { heading: `Remove ${address}` });
    await walk.press('Remove the account', { status: 422 });
    await walk.expectText('Nothing was removed');
    await walk.follow('Keep it', { heading: address });
    assert.equal(await guide.ask('rcpt', address), 250);
  });
  await guide.show('its mail is handed to another', async () => {
    await walk.follow(/^Remove this account/);
    await walk.choose('What becomes of the mail in its mailbox?', 'It goes to another account');
    await walk.fill({ 'Address of that account': 'nobody@post.example' });
    await walk.press('Remove the account', { status: 422 });
    await walk.fill({ 'Address of that account': guide.config.heir.address });
    await walk.press('Remove the account', { heading: 'List of Accounts' });
    assert.equal(await guide.ask('rcpt', address), 550);
    assert.equal(await guide.ask('pop3', 'jane', password), 'refused');
    await guide.ask('arrived', guide.config.heir.login, 'for Jane');
  });
  await guide.show('the removal is undone, without password and mail', async () => {
    await walk.press('Undo the removal', { heading: address });
    assert.equal(await guide.ask('rcpt', address), 250);
    assert.equal(await guide.ask('pop3', 'jane', password), 'refused');
  });
  await guide.show('its mail is deleted', async () => {
    await guide.ask('deliver', address, 'to be deleted');
    await walk.follow(/^Remove this account/);
    await walk.choose('What becomes of the mail in its mailbox?', 'It is deleted');
    await walk.press('Remove the account', { heading: 'List of Accounts' });
    assert.equal(await guide.ask('rcpt', address), 550);
    assert.equal(await guide.ask('has', guide.config.heir.login, 'to be deleted'), false);
  });
  await guide.show('the Postmaster cannot be removed', async () => {
    await walk.open('/accounts/1');
    assert.equal(await walk.page.getByRole('link', { name: /Remove/ }).count(), 0);
  });
}

// ---- the system's forms

async function settings(guide) {
  const walk = await postmaster(guide);
  await guide.show('System Configuration: the size of a message', async () => {
    await change(walk, 'system-configuration', { 'Maximum Message Size': '1234' });
    assert.equal(await guide.ask('size'), 1234 * 1024);
  });
  await guide.show('System Security: the least password', async () => {
    await change(walk, 'system-security', { 'Minimum Password Length': '20' });
    const user = await guide.visitor();
    await user.logIn(guide.config.user.address, guide.config.user.password);
    await user.fill({ 'Mail Account Password': 'nineteen letters...', 'Once more': 'nineteen letters...' });
    await user.press('Save changes', { status: 422 });
    assert.match(await user.errorBeside('Mail Account Password'), /20/);
    await change(walk, 'system-security', { 'Minimum Password Length': '6' });
  });
  await guide.show('System Security: who may finger', async () => {
    assert.match(await guide.ask('finger', guide.config.user.address), /Test User/);
    await change(walk, 'system-security', { 'Finger Access': '192.0.2.0/24' });
    assert.doesNotMatch(await guide.ask('finger', guide.config.user.address), /Test User/);
    await change(walk, 'system-security', { 'Finger Access': '' });
  });
  await guide.show('Mail Routing: a local domain', async () => {
    const before = await guide.ask('rcpt', 'someone@third.example');
    await walk.open('/settings/mail-routing');
    const domains = await walk.value('Local Mail Domains');
    await change(walk, 'mail-routing', { 'Local Mail Domains': `${domains}\nthird.example` });
    const reply = await guide.ask('rcpt_text', 'someone@third.example');
    assert.ok(before >= 550 && /^550 5\.1\.1/.test(reply), `${before}, then ${reply}`);
  });
  await guide.show('Relay passwords: set, seen by the command line, and removed', async () => {
    await walk.open('/settings');
    await walk.follow(/^Relay passwords/, { heading: 'Relay passwords' });
    await walk.fill({ Host: 'smtp.far.example', 'Log-in name': 'we', Password: 'Sur Fer' });
    await walk.press('Set the password');
    await walk.expectText('The password of we at smtp.far.example is set');
    assert.match(await guide.ask('relay_passwords'), /^smtp\.far\.example we  \(in no route\)$/m);
    await walk.fill({ Host: 'two words', 'Log-in name': 'we', Password: 'Sur Fer' });
    await walk.press('Set the password', { status: 422 });
    assert.equal(await walk.value('Host'), 'two words');
    assert.equal(await walk.value('Password'), '');
    await walk.press('Remove the password of we at smtp.far.example');
    assert.doesNotMatch(await guide.ask('relay_passwords'), /far/);
  });
  await guide.show('SMTP Channel Aliases: an address that stands for another', async () => {
    await change(walk, 'channel-aliases', { Aliases: `<info@third.example> <${guide.config.user.address}>` });
    await guide.ask('deliver', 'info@third.example', 'by an alias');
    await guide.ask('arrived', guide.config.user.login, 'by an alias');
  });
  await guide.show('Mail Queue: a setting, as the command line shows it', async () => {
    await change(walk, 'mail-queue', { 'Message Lifetime': '77' });
    assert.match(await guide.ask('form', 'mail-queue'), /Message-Lifetime: +\[77\]/);
  });
  await guide.show('Default Account: what a new account begins with', async () => {
    await change(walk, 'default-account', { 'From Address Rewrite': 'quoted' });
    await walk.open('/accounts/new');
    assert.equal(await walk.value('From Address Rewrite'), 'quoted');
  });
  await guide.show('System Information: what runs', async () => {
    await walk.open('/settings/system-information');
    await walk.expectText('WWW-Server');
    await walk.expectText(guide.config.hostname);
  });
  await guide.show('a number that is none, and one out of bounds', async () => {
    await walk.open('/settings/system-configuration');
    await walk.fill({ 'Maximum Message Size': 'many', 'Maximum Recipients': '7', 'SMTP Error Limit': '55' });
    await walk.press('Save changes', { status: 422 });
    await walk.errorBeside('Maximum Message Size');
    assert.match(await walk.errorBeside('Maximum Recipients'), /100/);
    assert.equal(await walk.value('Maximum Message Size'), 'many');
    assert.equal(await walk.value('SMTP Error Limit'), '55');
    await walk.open('/settings/system-configuration');
    assert.notEqual(await walk.value('SMTP Error Limit'), '55');
  });
}

async function greeting(guide) {
  const walk = await postmaster(guide);
  await guide.show('Greeting: what a new account finds in its mailbox', async () => {
    await change(walk, 'greeting', { 'Send Greeting': 'Yes', 'Greeting Text': 'Welcome to the post office.\nRing twice.' });
    await walk.open('/accounts/new');
    await walk.fill({ "User's Real Name": 'New Comer', 'Internet Addresses': 'newcomer@post.example', 'POP Login Name': 'newcomer',
      'Mail Account Password': 'words of a newcomer', 'Once more': 'words of a newcomer' });
    await walk.press('Add the account', { heading: 'newcomer@post.example' });
    await guide.ask('arrived', 'newcomer', 'Ring twice.', 'words of a newcomer');
  });
}

// ---- history, undo, two editors

async function history_and_undo(guide) {
  const walk = await postmaster(guide);
  await guide.show('made on the web, changed on the command line, undone on the web', async () => {
    await walk.open('/accounts/new');
    await walk.fill({ "User's Real Name": 'Three Ways', 'Internet Addresses': 'three@post.example', 'POP Login Name': 'three' });
    await walk.press('Add the account', { heading: 'three@post.example' });
    await guide.ask('account_set', 'three@post.example', { 'Internet-Addresses': ['third@post.example'] });
    await walk.follow('History', {}, walk.page.getByRole('navigation', { name: 'This account' }));
    await walk.expectText(/by web/);
    await walk.expectText(/by command/);
    await walk.step(walk.page.getByRole('button', { name: /^Undo/ }).first(), { heading: 'three@post.example' });
    assert.equal(await guide.ask('rcpt', 'third@post.example'), 550);
    assert.equal(await guide.ask('rcpt', 'three@post.example'), 250);
  });
  await guide.show('a change that was changed again is not undone blindly', async () => {
    await change(walk, 'system-configuration', { 'SMTP Error Limit': '31' });
    await change(walk, 'system-configuration', { 'SMTP Error Limit': '32' });
    await walk.follow('History of this form');
    const change31 = walk.page.locator('li.revision').filter({ hasText: '→ 31' });
    await walk.step(change31.getByRole('button'), { heading: /^History/ });
    await walk.expectText('Not undone');
    assert.match(await guide.ask('form', 'system-configuration'), /SMTP-Error-Limit: +\[32\]/);
  });
}

async function two_editors(guide) {
  const one = await postmaster(guide);
  const two = await postmaster(guide);
  await guide.show('different fields are put together', async () => {
    await one.open('/settings/system-configuration');
    await two.open('/settings/system-configuration');
    await one.fill({ 'SMTP Idle Command Limit': '501' });
    await two.fill({ 'SMTP Unknown Recipient Limit': '502' });
    await one.press('Save changes');
    await two.press('Save changes', { status: 409 });
    await two.expectText('somebody else changed this form');
    assert.equal(await two.value('SMTP Idle Command Limit'), '501');
    assert.equal(await two.value('SMTP Unknown Recipient Limit'), '502');
    await two.press('Save changes');
    const form = await guide.ask('form', 'system-configuration');
    assert.match(form, /SMTP-Idle-Command-Limit: +\[501\]/);
    assert.match(form, /SMTP-Unknown-Recipient-Limit: +\[502\]/);
  });
  await guide.show('one field that both changed says so', async () => {
    await one.open('/settings/system-configuration');
    await two.open('/settings/system-configuration');
    await one.fill({ 'SMTP Idle Command Limit': '601' });
    await two.fill({ 'SMTP Idle Command Limit': '602' });
    await one.press('Save changes');
    await two.press('Save changes', { status: 409 });
    assert.match(await guide.ask('form', 'system-configuration'), /SMTP-Idle-Command-Limit: +\[601\]/);
    assert.equal(await two.value('SMTP Idle Command Limit'), '602');
    await two.expectText(/Somebody else made it:\s*601/);
    await two.press('Save changes');
    assert.match(await guide.ask('form', 'system-configuration'), /SMTP-Idle-Command-Limit: +\[602\]/);
  });
  await guide.show('a change by the command line is a conflict as well', async () => {
    await one.open('/settings/mail-queue');
    await guide.ask('form_set', 'mail-queue', { 'Message-Lifetime': '88' });
    await one.fill({ 'Message Lifetime': '99' });
    await one.press('Save changes', { status: 409 });
    assert.match(await guide.ask('form', 'mail-queue'), /Message-Lifetime: +\[88\]/);
  });
}

// ---- other ways to be a Postmaster

async function by_delivery_field(guide) {
  await guide.show('an account in the delivery field of the Postmaster is one', async () => {
    await guide.ask('account_set', 'postmaster', { 'Forwarding-Addresses': [guide.config.deputy.address] });
    const walk = await guide.visitor();
    await walk.logIn(guide.config.deputy.address, guide.config.deputy.password);
    await walk.open('/settings/system-security', { heading: 'System Security' });
    await guide.ask('account_set', 'postmaster', { 'Forwarding-Addresses': [''] });
    await walk.open('/settings/system-security', { status: 403 });
  });
}

module.exports = { list_of_accounts, account_life, settings, greeting, history_and_undo, two_editors, by_delivery_field };
