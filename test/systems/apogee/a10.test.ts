import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import {
  accountOf,
  act,
  addTemplate,
  type Broker,
  change,
  client,
  done,
  edit,
  keepClient,
  login,
  mailsTo,
  noticeFor,
  opened,
  post,
  read,
  sender,
  startBroker,
  statusesOf,
} from '../../support/broker.ts';

const mailTest = 'mail.test@universite.example';
const realPeople = ['client.1@courriel.example', 'conjoint@courriel.example', 'gestion.cache@courriel.example'];

/** One message with a copy, a hidden copy and the sender's archive, validated. */
async function sendOne({ service }: Broker, key?: string): Promise<string> {
  const one = await keepClient(service, client(1));
  const row = noticeFor(one, { cc: [{ address: realPeople[1], name: 'Conjoint' }], bcc: [{ address: realPeople[2] }] });
  const { messages } = await done(post(service, [row], { validation: 'automatic' }, key === undefined ? {} : { key }));
  await service.work();
  return messages[0].id;
}

t.test('A10 · SMTP host, port, login, password and sender are settings; the password is never shown', async (t) => {
  const { service, sink, accountId } = await startBroker(t);
  const account = await service.inject('GET', `/v1/channel-accounts/${accountId}`);
  t.match(account.body.settings, { host: 'localhost', port: sink.port, user: login.user, security: 'starttls' });
  t.same(account.body.secretNames, ['password']);
  t.notMatch(String(account.raw), login.password);
  const tried = await done(service.inject('POST', `/v1/channel-accounts/${accountId}/test`));
  t.match(tried, { ok: true }, 'the settings can be tried');
  t.same(sink.mails, [], 'which sends nothing');
  await change(service, `/v1/channel-accounts/${accountId}`, { secrets: { password: 'un-autre' } });
  t.match(await done(service.inject('POST', `/v1/channel-accounts/${accountId}/test`)), {
    ok: false,
    reason: 'authentication_failed',
    code: 535,
  });
});

t.test('A10 · in a test deployment one address receives everything instead of the real people', async (t) => {
  const broker = await startBroker(t, { config: { safeRecipientEmail: mailTest } });
  const { service, sink } = broker;
  const id = await sendOne(broker);
  t.equal(sink.mails.length, 4, 'to, cc, bcc and archive');
  const everybody = [...realPeople, ...sender.archiveBcc];
  for (const mail of sink.mails) {
    t.same(mail.envelope.to, [mailTest], 'the envelope names the safe address alone');
    const seen = await opened(mail);
    t.same(
      seen.to?.map(({ address }) => address),
      [mailTest],
    );
    t.same(seen.cc ?? [], []);
    t.same(seen.bcc ?? [], []);
    const original = seen.headers.find(({ key }) => key === 'x-original-to')?.value;
    t.same(original?.split(/,\s*/), everybody, 'X-Original-To has the real ones');
    t.match(seen.text, /^Envoi de test, redirigé\.\r?\n/, 'a banner above the text');
    t.match(seen.html, /<div style="[^"]+">Envoi de test, redirigé\./, 'and above the HTML');
    for (const address of everybody) {
      t.match(seen.text, address);
      t.match(seen.html, address);
    }
  }
  t.match(
    await read(service, id),
    { status: 'OK', redirectedTo: mailTest, to: { address: realPeople[0] } },
    'and it shows',
  );
});

t.test('A10 · a tenant has its own test address, which holds in production too', async (t) => {
  const own = 'essais@scolarite.example';
  const production = await startBroker(t, { archiveBcc: [] });
  await change(production.service, '/v1/tenant', { testRedirect: own });
  await sendOne(production);
  t.same(new Set(production.sink.mails.map(({ envelope }) => envelope.to[0])), new Set([own]));
  await change(production.service, '/v1/tenant', { testRedirect: null });
  const [id = ''] = await edit(production.service, [client(2)]);
  await act(production.service, 'validate', [id]);
  await production.service.work();
  const [mail] = mailsTo(production.sink, 'client.2@courriel.example');
  const seen = await opened(mail);
  t.notMatch(`${seen.text}${seen.html}`, /redirigé/, 'without it production writes to people, without a banner');
  t.notOk(seen.headers.some(({ key }) => key === 'x-original-to'));

  const test = await startBroker(t, { config: { safeRecipientEmail: mailTest }, archiveBcc: [] });
  await change(test.service, '/v1/tenant', { testRedirect: own });
  await sendOne(test);
  t.same(
    new Set(test.sink.mails.map(({ envelope }) => envelope.to[0])),
    new Set([mailTest]),
    'the deployment’s is the stronger',
  );
});

t.test('A10 · a test deployment without a safe address sends nothing by SMTP; the outbox still works', async (t) => {
  const broker = await startBroker(t, { config: {} });
  const { service, sink, accountId } = broker;
  const id = await sendOne(broker);
  t.equal(sink.connections(), 0, 'the mail server is not even reached');
  t.match(await read(service, id), { status: 'V', delivery: 'waiting' }, 'nothing is lost');
  const account = (await service.inject('GET', `/v1/channel-accounts/${accountId}`)).body;
  t.match(account, { pausedAt: String, pauseReason: 'safe_recipient_missing' });
  await done(service.inject('POST', `/v1/channel-accounts/${accountId}/resume`, { body: {} }));
  await change(service, '/v1/tenant', { testRedirect: 'essais@scolarite.example' });
  service.clock.advance(3_600_000);
  await service.work();
  t.equal(sink.connections(), 0, 'resuming does not open it, and neither does a tenant’s own address');

  const outbox = { name: 'Fichiers', channel: 'mail', driver: 'outbox', isDefault: true };
  await done(service.inject('POST', '/v1/channel-accounts', { body: outbox }));
  const [other = ''] = await edit(service, [client(2)]);
  await act(service, 'validate', [other]);
  await service.work();
  t.same(await statusesOf(service, [id, other]), ['V', 'OK']);
  const files = await readdir(join(service.directory, 'outbox', 'mail'));
  t.ok(files.length > 0 && files.every((name) => name.includes(other)));
});

t.test('A10 · messages of test keys reach the simulator only, in production as well', async (t) => {
  for (const config of [{ deployment: 'production' }, { safeRecipientEmail: mailTest }] as const) {
    const broker = await startBroker(t, { config });
    const { service, sink } = broker;
    const { testKey } = service.tenant;
    const id = await sendOne(broker, testKey);
    const seen = await done(service.inject('GET', `/v1/messages/${id}`, { key: testKey }));
    t.match(seen, { status: 'OK', test: true, providerReference: /^simulated-/ });
    t.equal(sink.connections(), 0, 'no provider is reached');
    t.not(seen.channelAccount, broker.accountId);
  }
});

t.test('A10 · with a test key an application can try failures: no person, and no provider, is involved', async (t) => {
  const { service, sink } = await startBroker(t);
  const { testKey: key } = service.tenant;
  await addTemplate(service, { key: 'essai' }, { subject: 'Essai', text: 'Essai', html: '<p>Essai</p>' });
  const row = { to: { address: 'simulate-permanent@courriel.example' }, data: {} };
  const { messages } = await done(post(service, [row], { template: 'essai', validation: 'automatic' }, { key }));
  await service.work();
  const failed = await done(service.inject('GET', `/v1/messages/${messages[0].id}`, { key }));
  t.match(failed, { status: 'KO', test: true, reason: 'mailbox_unknown' });
  t.equal(sink.connections(), 0);
});

t.test(
  'A10 · in production nothing is implicit: without an account a message waits, and leaves once there is one',
  async (t) => {
    const broker = await startBroker(t, { account: false });
    const { service, sink } = broker;
    const id = await sendOne(broker);
    service.clock.advance(86_400_000);
    await service.work();
    t.match(await read(service, id), {
      status: 'V',
      delivery: 'waiting',
      reason: 'no_channel_account',
      channelAccount: null,
    });
    const manual = (await edit(service, [client(2)]))[0] ?? '';
    await act(service, 'validate', [manual]);
    await service.work();
    t.match(
      await read(service, manual),
      { status: 'V', reason: 'no_channel_account' },
      'validated by hand, it waits too',
    );
    const files = await readdir(join(service.directory, 'outbox')).catch(() => []);
    t.same(files, [], 'the outbox is no hidden way out');
    t.equal(sink.connections(), 0);

    const account = await done(service.inject('POST', '/v1/channel-accounts', { body: accountOf(sink) }));
    await service.work();
    t.same(await statusesOf(service, [id, manual]), ['OK', 'OK']);
    t.match(await read(service, id), { reason: null, channelAccount: account.id });
    t.equal(mailsTo(sink, String(realPeople[0])).length, 1);
  },
);
