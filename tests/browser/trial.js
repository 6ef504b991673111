'use strict';
// The tools themselves, on pages made for it (tests/system/test_web.py): a good one passes, and each fault of the others
// is found. A watcher that sees nothing would pass every page of the suite as well.
const assert = require('node:assert');

// Opening that page, or `action` on it, fails with a message that says what is wrong.
async function finds(guide, walk, where, pattern, action = async () => {}) {
  await guide.show(`${where}: found ${pattern}`, async () => {
    const looked = async () => {
      await walk.open(where);
      const wrong = await action();
      if (wrong && wrong.length) throw new Error(wrong.join('; '));
      walk.good();
    };
    await assert.rejects(looked, pattern);
  });
}

async function good_page(guide) {
  await guide.show('a good page passes', async () => {
    const walk = await guide.visitor();
    await walk.open('/good.html', { heading: 'Good' });
    await walk.inspect('trial-good');
    await walk.fill({ Name: 'Janie', Colour: 'Red', Sure: true });
    assert.equal(await walk.value('Name'), 'Janie');
    await walk.choose('Size', 'Large');
    await walk.press('Send', { heading: 'Sent' });
    await walk.expectText('name=Janie&colour=r&sure=1&size=l');
  });
}

async function errors_stand_beside_fields(guide) {
  await guide.show('an error is found', async () => {
    const walk = await guide.visitor();
    await walk.open('/refused.html', { status: 422 });
    assert.equal(await walk.errorBeside('Name'), 'At least 6 characters.');
    await assert.rejects(walk.errorBeside('Other'), /not marked as wrong/);
    await assert.rejects(walk.errorBeside('Far'), /stands \d+ px away/);
    await assert.rejects(walk.fill({ Nobody: 'x' }), /0 elements/);
    await assert.rejects(walk.expectText('not there'), /does not say/);
    await assert.rejects(walk.expectHeading('Bad'), /the heading is/);
    await walk.expectNoText('not there');
    await assert.rejects(walk.expectNoText('At least'), /says/);
  });
}

async function faults_are_found(guide) {
  const walk = await guide.visitor();
  await finds(guide, walk, '/refused.html', /status 422, not 200/);
  await finds(guide, walk, '/outside.html', /a request to http:\/\/127\.0\.0\.1:1/);
  await finds(guide, walk, '/heavy.html', /weighs \d{5,} octets/);
  await finds(guide, walk, '/broken.html', /script error: oops/);
  await finds(guide, walk, '/missing.html', /404 for .*nothing\.css/);
  await finds(guide, walk, '/blocked.html', /console: .*Content Security Policy/);
  await finds(guide, walk, '/pale.html', /axe \(light\) color-contrast/, () => walk.inspect('trial-pale'));
  await finds(guide, walk, '/dark.html', /axe \(dark\) color-contrast/, () => walk.inspect('trial-dark'));
  await finds(guide, walk, '/nameless.html', /axe \(light\) label/, () => walk.accessibility('light'));
  await finds(guide, walk, '/wide.html', /px too wide for a phone/, () => walk.inspect('trial-wide'));
  await finds(guide, walk, '/small.html', /12 px high/, () => walk.narrow());
  await finds(guide, walk, '/unseen.html', /no focus to be seen on <button/, () => walk.keyboard());
  await finds(guide, walk, '/trap.html', /Tab does not reach <button/, () => walk.keyboard());
  await finds(guide, walk, '/bare.html', /no language; no title; not one h1; not one main; no viewport/, () => walk.structure());
}

async function without_script(guide) {
  await guide.show('works without script', async () => {
    const walk = await guide.visitor({ script: false });
    await walk.open('/broken.html');
    await walk.open('/good.html');
    await walk.fill({ Name: 'Lee' });
    await walk.press('Send', { heading: 'Sent' });
    await walk.expectText('name=Lee');
  });
}

async function asks(guide) {
  await guide.show('asks the other side', async () => {
    assert.equal(await guide.ask('twice', 21), 42);
    await assert.rejects(guide.ask('unknown'), /KeyError/);
  });
}

async function fails(guide) {
  await guide.show('this is to fail', async () => { throw new Error('as\nit should'); });
}

module.exports = { good_page, errors_stand_beside_fields, faults_are_found, without_script, asks, fails };
