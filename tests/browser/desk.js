'use strict';
// What a Postmaster looks at rather than fills in: the front page, the story of a message, the rehearsal of a route, the
// check of the set-up; and what of it is a user's.
const assert = require('node:assert');

async function postmaster(guide) {
  const walk = await guide.visitor();
  await walk.logIn('Postmaster', guide.config.postmaster);
  return walk;
}

async function front_page(guide) {
  const walk = await postmaster(guide);
  await guide.show('whether all is well, at a glance', async () => {
    await walk.open('/', { heading: 'Overview' });
    for (const wanted of ['Waiting in the queue', 'Disk space left', 'Certificate', 'WWW-Server', 'SMTP-Accept']) {
      await walk.expectText(wanted);
    }
  });
  await guide.show('an account is found from here', async () => {
    await walk.fill({ 'Search': guide.config.user.address });
    await walk.press('Search', { heading: 'List of Accounts' });
    await walk.follow(guide.config.user.address, { heading: guide.config.user.address });
  });
}

async function story(guide) {
  const { user, other } = guide.config;
  for (const { address } of [user, other]) await guide.ask('deliver', address, 'a letter with a story');
  const walk = await postmaster(guide);
  await guide.show('of all that went to an address', async () => {
    await walk.follow('Messages');
    await walk.fill({ 'Address, id or Message-ID': user.address });
    await walk.press('Show');
    await walk.expectText(`sender@elsewhere.example → ${user.address}`);
    await walk.expectText('delivered');
  });
  await guide.show('of what was never there', async () => {
    await walk.fill({ 'Address, id or Message-ID': 'nobody.wrote@elsewhere.example' });
    await walk.press('Show');
    await walk.expectText('The log says nothing about');
  });
  await guide.show("a user's own, and nobody else's", async () => {
    await walk.fill({ 'Address, id or Message-ID': other.address });
    await walk.press('Show');
    await walk.expectText(`sender@elsewhere.example → ${other.address}`);
    const own = await guide.visitor();
    await own.logIn(user.address, user.password);
    for (const where of ['/story', `/story?about=${encodeURIComponent(other.address)}`]) {
      await own.open(where, { heading: 'Your messages' });
      await own.expectText(`sender@elsewhere.example → ${user.address}`);
      await own.expectNoText(other.address);
    }
  });
}

async function rehearsal(guide) {
  const walk = await postmaster(guide);
  await walk.open('/route', { heading: 'Routing rehearsal' });
  for (const [address, wanted] of [
    [guide.config.user.address, /Into the mailbox of account \d+/], ['nobody@post.example', /refused/],
    ['someone@far.example', /To the MX hosts of far\.example/]]) {
    await guide.show(`where mail for ${address} would go`, async () => {
      await walk.fill({ 'Mail for': address });
      await walk.press('Rehearse');
      await walk.expectText(wanted);
    });
  }
  await guide.show('what is no address', async () => {
    await walk.fill({ 'Mail for': 'two words@' });
    await walk.press('Rehearse', { status: 422 });
    await walk.errorBeside('Mail for');
    assert.equal(await walk.value('Mail for'), 'two words@');
  });
}

async function setup_check(guide) {
  const walk = await postmaster(guide);
  await guide.show('what others find of this host', async () => {
    await walk.follow('Set-up check', { heading: 'Set-up check' });
    const { hostname, domain } = guide.config;
    await walk.expectText(`${domain} has neither an MX record nor an address record`);
    await walk.expectText(`${domain}. IN MX 10 ${hostname}.`);
    await walk.expectText(/\d+ days left for mail and web/);
  });
}

module.exports = { front_page, story, rehearsal, setup_check };
