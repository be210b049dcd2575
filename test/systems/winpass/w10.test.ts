import t from 'tap';
import {
  type Broker,
  change,
  client,
  done,
  keepClient,
  mailsTo,
  noticeFor,
  post,
  read,
  startBroker,
} from '../../support/broker.ts';

type Validation = 'manual' | 'automatic';

/** Posts one notice. @returns its status at birth. */
async function born({ service }: Broker, validation: Validation | null, key?: string) {
  const one = await keepClient(service, client(1));
  const answer = await post(service, [noticeFor(one)], validation === null ? {} : { validation }, key ? { key } : {});
  return { status: answer.status, body: answer.body, message: answer.body.messages?.[0] };
}

async function keyWith({ service }: Broker, scopes: string[]): Promise<string> {
  const body = { name: 'Winpass', kind: 'live', scopes };
  return (await done(service.inject('POST', '/v1/api-keys', { body }))).secret;
}

t.test('W10 · with automatic validation a notice goes straight to V and leaves, with nobody involved', async (t) => {
  const broker = await startBroker(t, { archiveBcc: [] });
  const { service, sink } = broker;
  const manual = await born(broker, null);
  t.equal(manual.message.status, 'E', 'by default a person validates');
  await service.work();
  t.same(sink.mails, []);
  await change(service, '/v1/tenant', { defaultValidation: 'automatic' });
  const automatic = await born(broker, null);
  t.equal(automatic.message.status, 'V');
  await service.work();
  t.equal(mailsTo(sink, 'client.1@courriel.example').length, 1, 'the setting does not touch what waits already');
  t.match(await read(service, automatic.message.id), {
    status: 'OK',
    validation: 'automatic',
    validatedByPerson: false,
  });
  t.equal((await read(service, manual.message.id)).status, 'E');
  const { items } = await done(service.inject('GET', `/v1/messages/${automatic.message.id}/transitions`));
  t.match(items, [
    { from: null, to: 'V' },
    { from: 'V', to: 'OK', actor: { kind: 'service' } },
  ]);
});

t.test('W10 · tenant, template and request each can ask; where one says manual, a person validates', async (t) => {
  const broker = await startBroker(t);
  const cases: [tenant: Validation, template: Validation | null, request: Validation | null, status: string][] = [
    ['manual', null, null, 'E'],
    ['manual', null, 'automatic', 'V'],
    ['manual', null, 'manual', 'E'],
    ['manual', 'automatic', null, 'V'],
    ['manual', 'automatic', 'automatic', 'V'],
    ['manual', 'automatic', 'manual', 'E'],
    ['manual', 'manual', null, 'E'],
    ['manual', 'manual', 'automatic', 'E'],
    ['manual', 'manual', 'manual', 'E'],
    ['automatic', null, null, 'V'],
    ['automatic', null, 'automatic', 'V'],
    ['automatic', null, 'manual', 'E'],
    ['automatic', 'automatic', null, 'V'],
    ['automatic', 'automatic', 'automatic', 'V'],
    ['automatic', 'automatic', 'manual', 'E'],
    ['automatic', 'manual', null, 'E'],
    ['automatic', 'manual', 'automatic', 'E'],
    ['automatic', 'manual', 'manual', 'E'],
  ];
  for (const [tenant, template, request, status] of cases) {
    await change(broker.service, '/v1/tenant', { defaultValidation: tenant });
    await change(broker.service, `/v1/templates/${broker.templateId}`, { validation: template });
    const { message } = await born(broker, request);
    t.equal(message.status, status, `tenant ${tenant}, template ${template}, request ${request}`);
  }
});

t.test('W10 · a key without the right to validate cannot walk around the gate', async (t) => {
  const broker = await startBroker(t);
  const { service, sink } = broker;
  const sending = await keyWith(broker, [
    'send:bulk',
    'templates:update',
    'tenant:update',
    'templates:read',
    'tenant:read',
  ]);
  const refused = await born(broker, 'automatic', sending);
  t.equal(refused.status, 403);
  t.equal(refused.body.code, 'validation_not_allowed');
  t.equal((await born(broker, null, sending)).message.status, 'E', 'without asking for it, it may send');

  for (const [path, body] of [
    ['/v1/tenant', { defaultValidation: 'automatic' }],
    [`/v1/templates/${broker.templateId}`, { validation: 'automatic' }],
  ] as const) {
    const { headers } = await service.inject('GET', path);
    const answer = await service.inject('PATCH', path, {
      key: sending,
      body,
      headers: { 'if-match': String(headers.etag) },
    });
    t.equal(answer.status, 403, `it cannot change ${path} to automatic either`);
    t.match(answer.body, { code: 'forbidden', scope: 'messages:validate' });
  }
  const { items } = await done(service.inject('GET', '/v1/messages'));
  const validate = { key: sending, body: { ids: items.map(({ id }: { id: string }) => id) } };
  t.equal((await service.inject('POST', '/v1/messages/validate', validate)).status, 403);
  await service.work();
  t.same(sink.mails, []);

  const validating = await keyWith(broker, ['send:bulk', 'messages:validate']);
  t.equal((await born(broker, 'automatic', validating)).message.status, 'V');
  await change(service, '/v1/tenant', { defaultValidation: 'automatic' });
  t.equal(
    (await born(broker, 'automatic', sending)).message.status,
    'V',
    'where the tenant is automatic, any key may ask',
  );
});

t.test('W10 · a draft that asked for automatic validation is judged by the key that confirms it', async (t) => {
  const broker = await startBroker(t);
  const { service } = broker;
  const one = await keepClient(service, client(1));
  const draft = await done(post(service, [noticeFor(one)], { confirm: false, validation: 'automatic' }));
  const sending = await keyWith(broker, ['send:bulk']);
  const path = `/v1/send-requests/${draft.id}/confirm`;
  const refused = await service.inject('POST', path, { key: sending, body: {} });
  t.equal(refused.status, 403);
  t.equal(refused.body.code, 'validation_not_allowed');
  t.match(await done(service.inject('POST', path, { body: {} })), { counts: { created: 1, V: 1 } });
});

t.test('W10 · automatic validation still runs every rule', async (t) => {
  const broker = await startBroker(t);
  const { service, sink } = broker;
  await change(service, '/v1/tenant', { defaultValidation: 'automatic' });
  const rows = [client(1, { box: false }), client(2, { mail: null })];
  for (const one of rows) await keepClient(service, one);
  const { messages } = await done(
    post(
      service,
      rows.map((one) => noticeFor(one)),
    ),
  );
  t.match(messages, [
    { status: 'B', reason: 'choice_off' },
    { status: 'KO', reason: 'address_missing' },
  ]);
  await service.work();
  t.same(sink.mails, []);
});
