'use strict';
// The queue: what waits and why, by filters, and what a Postmaster does about it. The other side has put letters there for
// hosts that refuse connections, config.far and config.away: three from one user to far.example, one to away.example.
const assert = require('node:assert');

async function postmaster(guide, options = {}) {
  const walk = await guide.visitor(options);
  await walk.logIn('Postmaster', guide.config.postmaster);
  await walk.open('/queue', { heading: 'Queue' });
  return walk;
}

const rows = (walk) => walk.page.locator('tbody tr');
const boxes = (walk) => walk.page.locator('tbody').getByRole('checkbox');
const ticked = (walk) => walk.page.locator('tbody input[type=checkbox]:checked').count();

async function filters(guide) {
  const walk = await postmaster(guide);
  await guide.show('all that waits, with its reason and its next attempt', async () => {
    assert.equal(await rows(walk).count(), 4);
    const first = await rows(walk).first().innerText();
    assert.match(first, /deferred/);
    assert.match(first, /1 attempt/);
  });
  await guide.show('by domain, by recipient, by state', async () => {
    await walk.fill({ "Recipient's domain": 'away.example' });
    await walk.press('Filter');
    assert.equal(await rows(walk).count(), 1);
    await walk.follow('Show all');
    await walk.fill({ Recipient: 'one@*' });
    await walk.press('Filter');
    assert.equal(await rows(walk).count(), 1);
    await walk.open('/queue');
    await walk.fill({ State: 'held' });
    await walk.press('Filter');
    await walk.expectText('Nothing that waits matches');
  });
  await guide.show('a filter that cannot be', async () => {
    await walk.open('/queue');
    await walk.fill({ 'Older than': 'long ago' });
    await walk.press('Filter', { status: 422 });
    await walk.errorBeside('Older than');
    assert.equal(await walk.value('Older than'), 'long ago');
  });
  await guide.show('counts by next host', async () => {
    await walk.open('/queue');
    await walk.follow('Counts by next host');
    assert.match(await walk.page.getByRole('row').filter({ hasText: guide.config.far }).innerText(), /\t3\b|\b3\t/);
    await walk.follow(guide.config.far, { heading: 'Queue' });
    assert.equal(await rows(walk).count(), 3);
  });
}

async function actions(guide) {
  const walk = await postmaster(guide);
  await guide.show('nothing selected, nothing done', async () => {
    await walk.press('Hold');
    await walk.expectText('select at least one message');
  });
  await guide.show('a script lets all of the page be ticked at once, and none', async () => {
    const comfort = await postmaster(guide, { script: true });
    const all = comfort.page.getByRole('checkbox', { name: 'All on this page' });
    await all.check();
    assert.equal(await ticked(comfort), 4);
    await all.uncheck();
    assert.equal(await ticked(comfort), 0);
  });
  await guide.show('two are held and released', async () => {
    await boxes(walk).nth(0).check();
    await boxes(walk).nth(1).check();
    await walk.press('Hold');
    await walk.expectText(/2 recipients of 2 messages: held/);
    await walk.fill({ State: 'held' });
    await walk.press('Filter');
    assert.equal(await rows(walk).count(), 2);
    await boxes(walk).nth(0).check();
    await walk.press('Release');
    await walk.expectText('released');
    assert.equal(await rows(walk).count(), 1);
  });
  await guide.show('all that match, after a question', async () => {
    await walk.open('/queue?domain=far.example');
    await walk.choose('Do this with', 'all that match the filter (recipient domain far.example)').catch(
      () => walk.page.getByRole('radio', { name: /^\s*all that match/ }).check());
    await walk.press(/^Return to sender/, { heading: 'Return to the sender' });
    await walk.expectText('3 recipients of 3 messages');
    await walk.follow('Cancel', { heading: 'Queue' });
    assert.equal(await rows(walk).count(), 3);
    await walk.page.getByRole('radio', { name: /^\s*all that match/ }).check();
    await walk.press(/^Return to sender/);
    await walk.press('Return to sender', { heading: 'Queue' });
    await walk.expectText('returned');
    await guide.ask('arrived', guide.config.sender.login, 'one@far.example');
  });
}

async function one_message(guide) {
  const walk = await postmaster(guide);
  let id;
  await guide.show('its envelope, its attempts and its header', async () => {
    const link = walk.page.locator('td.message a.id').first();
    id = (await link.innerText()).trim();
    await walk.step(link, { heading: `Message ${id}` });
    await walk.expectText('two@away.example');
    await walk.expectText('Subject: waits');
  });
  await guide.show('its content, as text', async () => {
    await walk.follow('Content');
    await walk.expectText('<script>alert(1)</script>');
  });
  await guide.show('it is sent by another host', async () => {
    await walk.open(`/queue/${id}`);
    await walk.press(/^Send by another host/, { heading: 'Send by another host' });
    await walk.fill({ Host: 'not a host!' });
    await walk.press('Send by another host', { status: 422 });
    await walk.errorBeside('Host');
    await walk.fill({ Host: '[127.0.0.2]:1' });
    await walk.press('Send by another host', { heading: `Message ${id}` });
    await walk.expectText('127.0.0.2');
  });
  await guide.show('it is discarded', async () => {
    await walk.press(/^Discard/, { heading: 'Discard' });
    await walk.press('Discard', { heading: 'Queue' });
    await walk.expectText('discarded');
    await walk.open(`/queue/${id}`, { status: 404 });
  });
}

module.exports = { filters, actions, one_message };
