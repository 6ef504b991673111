'use strict';
// Forms that come in many at once, pasted or in a file: what they would do is shown first; and the export. Each page on the
// way is inspected where there is script. guide.config.accounts: two new ones, {address, login, password}.
const assert = require('node:assert');

async function begin(guide) {
  const walk = await guide.visitor();
  await walk.logIn('Postmaster', guide.config.postmaster);
  await walk.open('/import', { heading: 'Import and export' });
  return walk;
}

async function look(guide, walk, name) {
  if (guide.config.script) await walk.inspect(name);
}

const form = (account, name, address) => [
  '===== Account Data =====', `User's-Real-Name: [${name}]`, `Mail-Account-Password: [${account.password}]`,
  `Internet-Addresses: [${address || account.address}]`, `POP-Login-Name: [${account.login}]`, ''];

const choose = async (walk, name, text) => (await walk.one(walk.field('and a file of forms')))
  .setInputFiles({ name, mimeType: 'text/plain', buffer: Buffer.from(text) });

// None of the accounts is there.
async function nobody(guide) {
  for (const { address, login, password } of guide.config.accounts) {
    assert.equal(await guide.ask('rcpt', address), 550);
    assert.equal(await guide.ask('pop3', login, password), 'refused');
  }
}

async function pasted(guide) {
  const { accounts } = guide.config;
  const walk = await begin(guide);
  const good = accounts.flatMap((account) => form(account, 'Came <by> Import')).join('\n');
  const bad = [...form(accounts[0], 'Came by Import'), ...form(accounts[1], 'Came by Import', 'no address')].join('\n');
  const line = 1 + bad.split('\n').findIndex((text) => text.includes('no address'));
  const refused = async () => {
    await walk.expectText('Nothing was imported');
    await walk.expectText(new RegExp(`\\b${line}: .*no address`));
    assert.equal(await walk.value('Forms'), bad);
    await nobody(guide);
  };
  await guide.show('the page', async () => look(guide, walk, 'import'));
  await guide.show('one wrong line: which it is, what was typed is kept, nothing is changed', async () => {
    await walk.fill({ Forms: bad });
    await walk.press('Show what would change', { status: 422, heading: 'Import and export' });
    await refused();
    await look(guide, walk, 'import-wrong');
  });
  await guide.show('what would change is shown first', async () => {
    await walk.fill({ Forms: good });
    await walk.press('Show what would change', { heading: 'Import and export' });
    await walk.expectText('2 new accounts.');
    for (const { address, password } of accounts) {
      await walk.expectText(`new account ${address}`);
      await walk.expectNoText(password);
    }
    assert.equal(await walk.value('Forms'), good);
    await nobody(guide);
    await look(guide, walk, 'import-preview');
  });
  await guide.show('a line that was made wrong after that', async () => {
    await walk.fill({ Forms: bad });
    await walk.press('Import', { status: 422, heading: 'Import and export' });
    await refused();
  });
  await guide.show('confirmed, the accounts are there and their passwords good', async () => {
    await walk.fill({ Forms: good });
    await walk.press('Show what would change');
    await walk.press('Import', { heading: 'Import and export' });
    await walk.expectText('Imported: 2 new accounts.');
    await look(guide, walk, 'import-done');
    for (const { address, login, password } of accounts) {
      assert.equal(await guide.ask('pop3', login, password), 'welcome');
      await guide.ask('deliver', address, 'to an imported account');
      await guide.ask('arrived', login, 'to an imported account', password);
    }
    const own = await guide.visitor();
    await own.logIn(accounts[1].address, accounts[1].password, { heading: 'Individual Account Information' });
  });
}

async function files(guide) {
  const { user } = guide.config;
  const walk = await begin(guide);
  const text = `===== Account Data =====\nUser's-Real-Name: [Renamed by File]\nInternet-Addresses: [${user.address}]\n`;
  await guide.show('a file: what it would change is shown first', async () => {
    await choose(walk, 'few.forms', text);
    await walk.press('Show what would change', { heading: 'Import and export' });
    await walk.expectText('1 changed account.');
    await walk.expectText(/Test User \d+ → Renamed by File/);
    assert.doesNotMatch(await guide.ask('account', user.address), /Renamed by File/);
  });
  await guide.show('it is chosen again, for it was not kept', async () => {
    await walk.expectText('Choose it again');
    await choose(walk, 'few.forms', text);
    await walk.press('Import', { heading: 'Import and export' });
    await walk.expectText('Imported: 1 changed account.');
    assert.match(await guide.ask('account', user.address), /Renamed by File/);
  });
  let exported;
  await guide.show('the export: all forms, no password', async () => {
    exported = await walk.download('Export');
    assert.match(exported.name, /^post\.office-\d{4}-\d\d-\d\d\.forms$/);
    assert.match(exported.text, /^===== System Configuration =====$/m);
    assert.match(exported.text, /\[Renamed by File\]/);
    assert.equal(exported.text.match(/^===== Account Data =====$/mg).length, guide.config.count);
    assert.doesNotMatch(exported.text, /\$scrypt\$/);
  });
  await guide.show('what was exported changes nothing when it comes back', async () => {
    await choose(walk, exported.name, exported.text);
    await walk.press('Show what would change');
    await walk.expectText('Nothing would change');
    await walk.expectText('No change; ');
    await look(guide, walk, 'import-nothing');
  });
}

module.exports = { pasted, files };
