'use strict';
// Every page as it looks: inspected whole, with its pictures. guide.config.pages: [name, path, status].
async function all(guide, walk, pages) {
  for (const [name, path, status] of pages) {
    await guide.show(`${name} (${path})`, async () => {
      await walk.open(path, { status: status || 200 });
      await walk.inspect(name);
    });
  }
}

async function before(guide) {
  await all(guide, await guide.visitor({ script: true }), guide.config.pages);
}

async function as_user(guide) {
  const walk = await guide.visitor({ script: true });
  await walk.logIn(guide.config.user.address, guide.config.user.password);
  await all(guide, walk, guide.config.pages);
}

async function as_postmaster(guide) {
  const walk = await guide.visitor({ script: true });
  await walk.logIn('Postmaster', guide.config.postmaster);
  await all(guide, walk, guide.config.pages);
}

// What is seen only after something was done: an error beside its field, a conflict, a new password, a question.
async function states(guide) {
  const walk = await guide.visitor({ script: true });
  await walk.logIn('Postmaster', guide.config.postmaster);
  await guide.show('a form with errors', async () => {
    await walk.open('/accounts/new');
    await walk.fill({ "User's Real Name": '', 'Internet Addresses': 'no address', 'Maximum POP3 Mailbox Size': 'big' });
    await walk.press('Add the account', { status: 422 });
    await walk.inspect('form-with-errors');
  });
  await guide.show('a form in conflict', async () => {
    await walk.open('/settings/mail-queue');
    await guide.ask('form_set', 'mail-queue', { 'Message-Lifetime': '111' });
    await walk.fill({ 'Message Lifetime': '112' });
    await walk.press('Save changes', { status: 409 });
    await walk.inspect('form-in-conflict');
  });
  await guide.show('a form that was saved', async () => {
    await walk.press('Save changes');
    await walk.inspect('form-saved');
  });
  await guide.show('a new application password', async () => {
    await walk.open('/account/passwords');
    await walk.fill({ Name: 'the telephone' });
    await walk.press('Make a password');
    await walk.inspect('password-made');
  });
  await guide.show('a wrong password', async () => {
    await walk.press('Log out');
    await walk.logIn('Postmaster', 'wrong', { status: 403 });
    await walk.inspect('log-in-wrong');
  });
}

module.exports = { before, as_user, as_postmaster, states };
