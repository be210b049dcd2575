import { randomUUID } from 'node:crypto';
import t from 'tap';
import { badAddress, messageCount, missingField, row, rows, startBroker } from '../support/requests.ts';

t.test('partial: good rows are accepted, bad ones are kept as KO and told by index, pointer and code', async (t) => {
  const service = await startBroker(t);
  const { inject, post, counts } = service;
  const unknown = '019c0000-0000-7000-8000-000000000000';
  const answer = await post({
    recipients: [
      row(0, { context: { type: 'dossier', ref: 'D-0' } }),
      badAddress(1),
      missingField(2),
      row(3, { documents: [unknown] }),
      row(4, { to: undefined, recipient: 'external:client:nobody' }),
      row(5, { to: undefined }),
      row(6, { cc: [{ address: 'a@b@c' }] }),
    ],
    context: { type: 'edition', ref: 'E-1' },
    requestedBy: { user: 'mmartin', osUser: 'COURTAGE\\mmartin', workstation: 'POSTE-12' },
  });
  t.equal(answer.status, 201);
  t.equal(answer.headers.location, `/v1/send-requests/${answer.body.id}`);
  t.match(answer.body, { status: 'accepted', counts: { created: 7, E: 1, V: 0, OK: 0, KO: 6, B: 0 }, repeated: [] });
  t.same(
    answer.body.errors.map(({ index, pointer, code }: Record<string, unknown>) => [index, pointer, code]),
    [
      [1, '/recipients/1/to/address', 'address_invalid'],
      [2, '/recipients/2/data/nom', 'field_missing'],
      [3, '/recipients/3/documents', 'document_invalid'],
      [4, '/recipients/4/recipient', 'recipient_unknown'],
      [5, '/recipients/5/to', 'address_missing'],
      [6, '/recipients/6/cc/0/address', 'address_invalid'],
    ],
  );
  const [first, second] = answer.body.messages;
  t.match(first, { index: 0, template: 'avis', status: 'E', reason: null });
  t.match(second, { index: 1, status: 'KO', reason: 'address_invalid' });
  const read = await inject('GET', String(answer.headers.location));
  t.match(read.body, {
    id: answer.body.id,
    status: 'accepted',
    templates: [{ key: 'avis', version: 1 }],
    validation: 'manual',
    context: { type: 'edition', ref: 'E-1' },
    requestedBy: { user: 'mmartin', osUser: 'COURTAGE\\mmartin', workstation: 'POSTE-12' },
    recipientCount: 7,
    counts: { created: 7, E: 1, KO: 6 },
  });
  t.match((await inject('GET', `/v1/messages/${first.id}`)).body, {
    status: 'E',
    subject: 'Avis C-0',
    context: { type: 'dossier', ref: 'D-0' },
    to: { address: 'client.0@courriel.example' },
  });
  t.match((await inject('GET', `/v1/messages/${second.id}`)).body, { to: { address: 'Jean <jean@courriel.example>' } });
  t.same(await counts(answer.body.id), answer.body.counts);
});

t.test('all-or-nothing: one bad row refuses all, with every fault, and nothing is kept', async (t) => {
  const service = await startBroker(t);
  const { inject, post } = service;
  const body = { mode: 'all-or-nothing', recipients: [row(0), badAddress(1), missingField(2)] };
  const headers = { 'idempotency-key': 'all-1' };
  const refused = await post(body, { headers });
  t.match(refused, { status: 422, body: { code: 'rows_refused', status: 422 } });
  t.match(refused.headers['content-type'], /^application\/problem\+json/);
  t.equal(refused.headers.location, undefined);
  t.match(refused.body.errors, [
    { pointer: '/recipients/1/to/address', code: 'address_invalid' },
    { pointer: '/recipients/2/data/nom', code: 'field_missing' },
  ]);
  t.equal(await messageCount(service), 0);
  t.same((await inject('GET', '/v1/send-requests')).body.items, []);
  const again = await post(body, { headers });
  t.equal(again.status, 422);
  t.equal(again.headers['idempotency-replayed'], 'true');
  t.match(again.headers['content-type'], /^application\/problem\+json/);
  t.same(again.body, refused.body);
  t.match(await post({ ...body, recipients: [row(0), row(1)] }), {
    status: 201,
    body: { counts: { created: 2, E: 2 } },
  });
});

t.test('a dry run checks and renders everything, and keeps nothing', async (t) => {
  const service = await startBroker(t);
  const { inject, post } = service;
  await post({ recipients: [row(9, { dedupeKey: 'old' })] });
  const before = await messageCount(service);
  const answer = await post({
    dryRun: true,
    recipients: [
      row(0, { dedupeKey: 'new' }),
      row(1, { dedupeKey: 'new' }),
      row(2, { dedupeKey: 'old' }),
      missingField(3),
    ],
  });
  t.match(answer, {
    status: 200,
    body: { id: null, status: 'dry-run', counts: { created: 2, E: 1, KO: 1 }, errors: [{ index: 3 }] },
  });
  t.equal(answer.headers.location, undefined);
  t.ok(answer.body.messages.every(({ id }: { id: null }) => id === null));
  t.match(answer.body.repeated, [
    { index: 1, messageId: null },
    { index: 2, messageId: String },
  ]);
  t.equal(await messageCount(service), before);
  t.equal((await inject('GET', '/v1/send-requests')).body.items.length, 1);
  t.match(await post({ recipients: [row(0, { dedupeKey: 'new' })] }), {
    body: { counts: { created: 1 }, repeated: [] },
  });
});

t.test('bad input gets a clear answer', async (t) => {
  const service = await startBroker(t);
  const { post, act, inject } = service;
  const recipients = rows(1);
  const cases: [object, number, object][] = [
    [{ recipients, sendAt: '2026-11-22T08:59:59Z' }, 422, { pointer: '/sendAt', code: 'in_past' }],
    [{ recipients, notAfter: '2026-11-22T09:00:00Z' }, 422, { pointer: '/notAfter', code: 'in_past' }],
    [
      { recipients, sendAt: '2026-11-23T08:00:00Z', notAfter: '2026-11-23T08:00:00Z' },
      422,
      { pointer: '/sendAt', code: 'after_not_after' },
    ],
    [{ recipients, sendAt: '2026-02-31T08:00:00Z' }, 400, { pointer: '/sendAt', code: 'wrong_format' }],
    [{ recipients, sendAt: '2201-01-01T00:00:00Z' }, 400, { pointer: '/sendAt', code: 'wrong_format' }],
    [{ recipients: [] }, 400, { pointer: '/recipients', code: 'too_few' }],
    [{ recipients, template: 'none' }, 422, { pointer: '/template', code: 'template_unknown' }],
    [{ recipients, template: 'avis', documentType: 'x' }, 422, { pointer: '/template', code: 'template_choice' }],
    [{ recipients, templates: ['avis'], templateVersion: 1 }, 422, { code: 'template_choice' }],
    [{ recipients, template: 'avis', templateVersion: 2 }, 422, { code: 'version_unknown' }],
    [{ recipients, overrides: { sender: 'none' } }, 422, { pointer: '/overrides/sender', code: 'sender_unknown' }],
    [{ recipients, overrides: { replyTo: 'a b@c' } }, 422, { pointer: '/overrides/replyTo', code: 'address_invalid' }],
    [{ recipients, overrides: { subject: 'a\r\nBcc: x@y.example' } }, 400, { pointer: '/overrides/subject' }],
    [
      { recipients: [row(0, { to: { address: 'a@b.example', name: 'a\r\nb' } })] },
      400,
      { pointer: '/recipients/0/to/name' },
    ],
    [{ recipients, surprise: 1 }, 400, { pointer: '/surprise', code: 'unknown_field' }],
    [{ recipients: [row(0, { documents: ['x'] })] }, 400, { pointer: '/recipients/0/documents/0' }],
  ];
  for (const [body, status, error] of cases) {
    t.match(await post(body), { status, body: { errors: [error] } }, JSON.stringify(error));
  }
  t.match(await act('not-an-id', 'confirm', {}), { status: 400 });
  t.match(await act(randomUUID(), 'confirm', {}), { status: 404 });
  t.match(await inject('GET', '/v1/send-requests?status=sent'), { status: 400 });
  t.match(await inject('GET', '/v1/send-requests?cursor=abc~def'), { status: 400, body: { code: 'invalid_cursor' } });
  const large = { recipients: rows(1_000), data: { text: 'x'.repeat(200_000) } };
  t.match(await post(large), { status: 422, body: { errors: [{ pointer: '/recipients', code: 'too_large' }] } });
  t.equal(await messageCount(service), 0);
});

t.test(
  'without an account, or with a recipient who refuses contact, nothing leaves and the reason is told',
  async (t) => {
    const { inject, post } = await startBroker(t);
    const person = {
      type: 'client',
      externalId: 'C-1',
      addresses: [{ kind: 'mail', value: 'a@courriel.example', acceptsContact: false }],
    };
    await inject('POST', '/v1/recipients', { body: person });
    const refusing = { recipient: 'external:client:C-1', data: { nom: 'A', contrat: 'C' } };
    t.match((await post({ recipients: [refusing] })).body.messages, [{ status: 'B', reason: 'contact_refused' }]);
    const account = (await inject('GET', '/v1/channel-accounts')).body.items.find(
      ({ name }: { name: string }) => name === 'Outbox',
    );
    await inject('DELETE', `/v1/channel-accounts/${account.id}`, { headers: { 'if-match': '*' } });
    const answer = await post({ validation: 'automatic', recipients: rows(1) });
    t.match(answer.body.messages, [{ status: 'V', reason: 'no_channel_account' }]);
    t.match((await inject('GET', `/v1/messages/${answer.body.messages[0].id}`)).body, { reason: 'no_channel_account' });
  },
);

t.test('lists: newest first, by status, origin and context, page by page', async (t) => {
  const { inject, post, act } = await startBroker(t);
  const ids: string[] = [];
  for (const body of [{ origin: 'activity' }, { context: { type: 'dossier', ref: 'D-1' } }, { confirm: false }, {}]) {
    ids.unshift((await post({ ...body, recipients: rows(1) })).body.id);
  }
  await act(ids[0] ?? '', 'cancel');
  const found = async (query: string) =>
    (await inject('GET', `/v1/send-requests?${query}`)).body.items.map(({ id }: { id: string }) => ids.indexOf(id));
  t.same(await found(''), [0, 1, 2, 3]);
  t.same(await found('status=cancelled'), [0]);
  t.same(await found('status=draft'), [1]);
  t.same(await found('context=D-1'), [2]);
  t.same(await found('origin=activity'), [3]);
  const first = await inject('GET', '/v1/send-requests?limit=3');
  t.match(first.body.items[2], { counts: { created: 1, E: 1 } });
  t.same(await found(`limit=3&cursor=${encodeURIComponent(first.body.nextCursor)}`), [3]);
});

t.test('another organisation sees nothing of it, and cannot use what belongs to it', async (t) => {
  const service = await startBroker(t);
  const { inject, post, act } = service;
  const other = await service.addTenant('Autre courtage');
  const { id } = (await post({ confirm: false, recipients: rows(1) })).body;
  const key = other.key;
  t.match(await inject('GET', `/v1/send-requests/${id}`, { key }), { status: 404 });
  t.match(await act(id, 'confirm', {}, { key }), { status: 404 });
  t.match(await act(id, 'cancel', undefined, { key }), { status: 404 });
  const body = { sendAt: null };
  t.match(await inject('PATCH', `/v1/send-requests/${id}`, { key, body, headers: { 'if-match': '*' } }), {
    status: 404,
  });
  t.same((await inject('GET', '/v1/send-requests', { key })).body.items, []);
  t.match(await post({ recipients: rows(1) }, { key }), {
    status: 422,
    body: { errors: [{ code: 'template_unknown' }] },
  });
  t.match((await inject('GET', `/v1/send-requests/${id}`)).body, { status: 'draft' });
});

t.test('test keys make test requests, and see only those; a confirmed test draft stays a test', async (t) => {
  const service = await startBroker(t);
  const { inject, post, act } = service;
  const key = service.tenant.testKey;
  const live = (await post({ confirm: false, recipients: rows(1) })).body.id;
  const test = (await post({ confirm: false, recipients: rows(1) }, { key })).body.id;
  t.match((await inject('GET', '/v1/send-requests', { key })).body.items, [{ id: test, test: true }]);
  t.match(await inject('GET', `/v1/send-requests/${live}`, { key }), { status: 404 });
  t.match(await act(live, 'confirm', {}, { key }), { status: 404 });
  t.match(await act(live, 'cancel', undefined, { key }), { status: 404 });
  const confirmed = await act(test, 'confirm', {});
  t.equal(confirmed.status, 200);
  t.match((await inject('GET', `/v1/messages/${confirmed.body.messages[0].id}`, { key })).body, { test: true });
});

t.test('10,000 recipients in one request; 10,001 are too many', { timeout: 120_000 }, async (t) => {
  const service = await startBroker(t);
  const { post, act, counts } = service;
  const began = performance.now();
  const answer = await post({ recipients: rows(10_000), validation: 'automatic', sendAt: '2027-01-01T08:00:00Z' });
  const accepted = performance.now();
  t.match(answer, { status: 201, body: { counts: { created: 10_000, V: 10_000 } } });
  t.match(await act(answer.body.id, 'cancel'), { status: 200, body: { blocked: 10_000, refused: [] } });
  const cancelled = performance.now();
  t.comment(`accepted in ${Math.round(accepted - began)} ms, cancelled in ${Math.round(cancelled - accepted)} ms`);
  t.match(await counts(answer.body.id), { created: 10_000, B: 10_000 });
  t.match(await post({ recipients: rows(10_001) }), { status: 400, body: { errors: [{ code: 'too_many' }] } });
});
