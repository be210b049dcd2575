import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import t, { type Test } from 'tap';
import { type Answer, type Ask, startService, type TestService } from '../support/service.ts';

const texts = {
  subject: 'Avis {{ contrat }}',
  text: 'Bonjour {{ nom }}, échéance du contrat {{ contrat }}.',
  html: '<p>Bonjour {{ nom }}, échéance du contrat {{ contrat }}.</p>',
};

const row = (number: number, more: object = {}) => ({
  to: { address: `client.${number}@courriel.example`, name: `Client n° ${number}` },
  data: { nom: `D’Hérouville ${number}`, contrat: `C-${number}` },
  ...more,
});
const rows = (count: number) => Array.from({ length: count }, (_, index) => row(index));
const badAddress = (number: number) => row(number, { to: { address: 'Jean <jean@courriel.example>' } });
const missingField = (number: number) => row(number, { data: { contrat: `C-${number}` } });

/** What these tests do with the service. */
interface Broker extends TestService {
  /** Posts a send request of the template `avis` unless the body says otherwise. */
  post(body: object, ask?: Ask): Promise<Answer>;
  act(id: string, action: 'confirm' | 'cancel', body?: object, ask?: Ask): Promise<Answer>;
  counts(id: string): Promise<object>;
  keyWith(scopes: string[], kind?: 'live' | 'test'): Promise<string>;
  addTemplate(key: string, more?: object): Promise<void>;
}

async function startBroker(t: Test): Promise<Broker> {
  const service = await startService(t);
  const { inject } = service;
  const addTemplate = async (key: string, more: object = {}) => {
    const made = await inject('POST', '/v1/templates', { body: { key, title: key, channel: 'mail', ...more } });
    t.equal(made.status, 201, `template ${key}`);
    const path = `/v1/templates/${made.body.id}/versions`;
    await inject('POST', path, { body: texts });
    t.equal((await inject('POST', `${path}/1/publish`)).status, 200, `${key} is published`);
  };
  const sender = { key: 'gestion', fromAddress: 'gestion@courtage.example' };
  t.equal((await inject('POST', '/v1/senders', { body: sender })).status, 201, 'sender');
  const account = { name: 'Outbox', channel: 'mail', driver: 'outbox', isDefault: true };
  t.equal((await inject('POST', '/v1/channel-accounts', { body: account })).status, 201, 'account');
  await addTemplate('avis');
  return {
    ...service,
    addTemplate,
    post: (body, { headers = {}, ...ask } = {}) => {
      const named = ['template', 'templates', 'documentType'].some((name) => name in body);
      return inject('POST', '/v1/send-requests', {
        body: { ...(named ? {} : { template: 'avis' }), ...body },
        headers: { 'idempotency-key': randomUUID(), ...headers },
        ...ask,
      });
    },
    act: (id, action, body, ask = {}) =>
      inject('POST', `/v1/send-requests/${id}/${action}`, { ...(body === undefined ? {} : { body }), ...ask }),
    counts: async (id) => (await inject('GET', `/v1/send-requests/${id}`)).body.counts,
    async keyWith(scopes, kind = 'live') {
      const made = await inject('POST', '/v1/api-keys', { body: { name: scopes.join(), kind, scopes } });
      t.equal(made.status, 201, `key with ${scopes}`);
      return made.body.secret;
    },
  };
}

const empty = { created: 0, E: 0, V: 0, OK: 0, KO: 0, B: 0 };
const messageCount = async ({ runtime }: TestService) => {
  const [found] = await runtime.db.execute<{ count: number }>(sql`select count(*)::int as count from messages`);
  return found?.count;
};

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

t.test('W6 a draft makes no message until it is confirmed, which archives the edition date', async (t) => {
  const service = await startBroker(t);
  const { inject, post, act, clock, counts } = service;
  const draft = await post({
    confirm: false,
    recipients: [row(0), row(1), badAddress(2)],
    requestedBy: { user: 'mmartin' },
  });
  t.match(draft, { status: 201, body: { status: 'draft', counts: empty, errors: [{ index: 2 }] } });
  const { id } = draft.body;
  const before = await inject('GET', `/v1/send-requests/${id}`);
  t.match(before.body, { status: 'draft', counts: empty, confirmedAt: null, editedAt: null, recipientCount: 3 });
  t.equal(await messageCount(service), 0);
  clock.advance(3_600_000);
  const confirmed = await act(id, 'confirm', {}, { headers: { 'on-behalf-of': 'chef' } });
  t.match(confirmed, { status: 200, body: { id, status: 'accepted', counts: { created: 3, E: 2, KO: 1 } } });
  const after = await inject('GET', `/v1/send-requests/${id}`);
  t.match(after.body, {
    status: 'accepted',
    editedAt: '2026-11-22T10:00:00.000Z',
    confirmedAt: '2026-11-22T10:00:00.000Z',
    createdAt: before.body.createdAt,
    requestedBy: { user: 'mmartin' },
  });
  t.not(after.headers.etag, before.headers.etag);
  const message = confirmed.body.messages[0].id;
  t.match((await inject('GET', `/v1/messages/${message}`)).body, {
    editedAt: '2026-11-22T10:00:00.000Z',
    requestedBy: { user: 'mmartin' },
  });
  t.match((await inject('GET', `/v1/messages/${message}/transitions`)).body.items, [
    { from: null, to: 'E', actor: { kind: 'key', user: 'chef' } },
  ]);
  t.match(await act(id, 'confirm', {}), {
    status: 409,
    body: { code: 'not_a_draft', currentStatus: 'accepted' },
  });
  t.same(await counts(id), confirmed.body.counts);

  const dated = await post({ confirm: false, editedAt: '2026-11-20T08:00:00Z', recipients: [row(0)] });
  const given = { editedAt: '2026-11-21T08:00:00+01:00' };
  t.equal((await act(dated.body.id, 'confirm', given)).status, 200);
  t.equal((await inject('GET', `/v1/send-requests/${dated.body.id}`)).body.editedAt, '2026-11-21T07:00:00.000Z');
  const kept = await service.runtime.db.execute(sql`select 1 from send_request_drafts`);
  t.equal(kept.length, 0, 'bodies of drafts are gone');
});

t.test('two confirmations at once make one set of messages', async (t) => {
  const service = await startBroker(t);
  const { post, act, counts } = service;
  const { id } = (await post({ confirm: false, recipients: rows(50) })).body;
  const answers = await Promise.all(Array.from({ length: 8 }, () => act(id, 'confirm', {})));
  t.same(answers.map(({ status }) => status).sort(), [200, 409, 409, 409, 409, 409, 409, 409]);
  t.match(await counts(id), { created: 50, E: 50 });
  t.equal(await messageCount(service), 50);
});

t.test('an all-or-nothing draft is checked again when it is confirmed', async (t) => {
  const service = await startBroker(t);
  const { inject, post, act, clock } = service;
  const person = { type: 'client', externalId: 'C-1', addresses: [{ kind: 'mail', value: 'a@courriel.example' }] };
  await inject('POST', '/v1/recipients', { body: person });
  const recipient = { recipient: 'external:client:C-1', data: { nom: 'A', contrat: 'C' } };
  const body = { confirm: false, mode: 'all-or-nothing', recipients: [recipient] };
  const { id } = (await post(body)).body;
  const path = '/v1/recipients/external:client:C-1';
  await inject('PATCH', path, { body: { addresses: [] }, headers: { 'if-match': '*' } });
  t.match(await act(id, 'confirm', {}), {
    status: 422,
    body: { code: 'rows_refused', errors: [{ code: 'address_missing' }] },
  });
  t.match((await inject('GET', `/v1/send-requests/${id}`)).body, { status: 'draft' });
  await inject('PATCH', path, { body: { addresses: person.addresses }, headers: { 'if-match': '*' } });
  t.equal((await act(id, 'confirm', {})).status, 200);
  const late = await post({ confirm: false, sendAt: '2026-11-22T12:00:00Z', recipients: [row(0)] });
  clock.set('2026-11-22T13:00:00Z');
  t.match(await act(late.body.id, 'confirm', {}), {
    status: 422,
    body: { errors: [{ pointer: '/sendAt', code: 'in_past' }] },
  });
});

t.test('cancel: E and V become B cancelled, what is being sent is refused; twice is not an error', async (t) => {
  const service = await startBroker(t);
  const { inject, post, act, counts, runtime } = service;
  const answer = await post({ validation: 'automatic', priority: 'urgent', recipients: [...rows(3), badAddress(3)] });
  t.match(answer.body.counts, { created: 4, V: 3, KO: 1 });
  const { id } = answer.body;
  const sending = answer.body.messages[0].id;
  t.match((await inject('GET', `/v1/messages/${sending}`)).body, { delivery: 'queued' }, 'urgent ones have their job');
  await runtime.db.execute(sql`update messages set dispatch_state = 'sending' where id = ${sending}`);
  t.match(await act(id, 'cancel'), {
    status: 200,
    body: { id, blocked: 2, refused: [{ id: sending, code: 'being_sent' }] },
  });
  t.match(await counts(id), { created: 4, V: 1, B: 2, KO: 1 });
  t.match((await inject('GET', `/v1/send-requests/${id}`)).body, {
    status: 'cancelled',
    cancelledAt: '2026-11-22T09:00:00.000Z',
  });
  const blocked = answer.body.messages[1].id;
  t.match((await inject('GET', `/v1/messages/${blocked}`)).body, { status: 'B', reason: 'cancelled' });
  t.match((await inject('GET', `/v1/messages/${blocked}/transitions`)).body.items.length, 2);
  t.match(await act(id, 'cancel'), { status: 200, body: { blocked: 0, refused: [{ id: sending }] } });
  const events = await runtime.db.execute<{ count: number }>(sql`
    select count(*)::int as count from events where type = 'send-request.cancelled' and resource_id = ${id}`);
  t.match([...events], [{ count: 1 }]);
  t.match(await act(randomUUID(), 'cancel'), { status: 404, body: { code: 'not_found' } });
});

t.test('a cancelled draft is forgotten', async (t) => {
  const { inject, post, act, runtime } = await startBroker(t);
  const { id } = (await post({ confirm: false, recipients: rows(2) })).body;
  t.match(await act(id, 'cancel'), { status: 200, body: { blocked: 0, refused: [] } });
  t.equal((await act(id, 'cancel')).status, 200);
  t.match(await act(id, 'confirm', {}), { status: 409, body: { code: 'not_a_draft', currentStatus: 'cancelled' } });
  t.match((await inject('GET', `/v1/send-requests/${id}`)).body, { status: 'cancelled', counts: empty });
  t.equal((await runtime.db.execute(sql`select 1 from send_request_drafts`)).length, 0);
});

t.test('a cancel and a confirmation at once leave no message that could be sent', async (t) => {
  const { post, act, counts } = await startBroker(t);
  for (let round = 0; round < 5; round += 1) {
    const { id } = (await post({ confirm: false, recipients: rows(5) })).body;
    const [confirmed, cancelled] = await Promise.all([act(id, 'confirm', {}), act(id, 'cancel')]);
    t.ok([200, 409].includes(confirmed.status), `confirm: ${confirmed.status}`);
    t.equal(cancelled.status, 200);
    t.match(await counts(id), { E: 0, V: 0 });
  }
});

t.test('PATCH moves the time of a request and of its messages, with If-Match', async (t) => {
  const service = await startBroker(t);
  const { inject, post, act, clock } = service;
  const answer = await post({ sendAt: '2026-11-23T08:00:00Z', validation: 'automatic', recipients: rows(2) });
  t.match(answer.body.counts, { V: 2 });
  const path = `/v1/send-requests/${answer.body.id}`;
  const move = (body: object, match = '*') => inject('PATCH', path, { body, headers: { 'if-match': match } });
  t.match(await inject('PATCH', path, { body: { sendAt: null } }), { status: 428 });
  t.match(await move({ sendAt: null }, '"7"'), { status: 412 });
  t.match(await move({}), { status: 400 });
  t.match(await move({ sendAt: '2026-11-22T08:00:00Z' }), { status: 422, body: { errors: [{ code: 'in_past' }] } });
  t.match(await move({ notAfter: '2026-11-22T08:00:00Z' }), { status: 422, body: { errors: [{ code: 'in_past' }] } });
  t.match(await move({ notAfter: '2026-11-23T07:00:00Z' }), {
    status: 422,
    body: { errors: [{ pointer: '/sendAt', code: 'after_not_after' }] },
  });
  const etag = String((await inject('GET', path)).headers.etag);
  const moved = await move({ sendAt: '2026-11-24T08:00:00Z', notAfter: '2026-11-25T08:00:00Z' }, etag);
  t.match(moved, { status: 200, body: { sendAt: '2026-11-24T08:00:00.000Z', notAfter: '2026-11-25T08:00:00.000Z' } });
  t.not(moved.headers.etag, etag);
  t.match(await move({ sendAt: null }, etag), { status: 412 });
  const message = async () => (await inject('GET', `/v1/messages/${answer.body.messages[0].id}`)).body;
  t.match(await message(), {
    delivery: 'waiting',
    nextTryAt: '2026-11-24T08:00:00.000Z',
    notAfter: '2026-11-25T08:00:00.000Z',
  });
  clock.set('2026-11-23T09:00:00Z');
  await service.work();
  t.match(await message(), { status: 'V' }, 'not sent at the first time');
  clock.set('2026-11-24T08:00:01Z');
  await service.work();
  t.match(await message(), { status: 'OK' }, 'sent at the new time');
  await act(answer.body.id, 'cancel');
  t.match(await move({ notAfter: null }), { status: 409, body: { code: 'conflict', currentStatus: 'cancelled' } });
});

t.test('PATCH takes messages back from the queue; sendAt null lets them go at once', async (t) => {
  const service = await startBroker(t);
  const { inject, post, work } = service;
  const answer = await post({ priority: 'urgent', validation: 'automatic', recipients: rows(2) });
  const path = `/v1/send-requests/${answer.body.id}`;
  const message = async () => (await inject('GET', `/v1/messages/${answer.body.messages[1].id}`)).body;
  t.match(await message(), { delivery: 'queued' });
  const move = (body: object) => inject('PATCH', path, { body, headers: { 'if-match': '*' } });
  await move({ notAfter: '2026-12-25T08:00:00Z' });
  t.match(
    await message(),
    { delivery: 'queued', notAfter: '2026-12-25T08:00:00.000Z' },
    'the end alone takes none back',
  );
  await move({ sendAt: '2026-12-24T08:00:00Z' });
  t.match(await message(), { delivery: 'waiting', nextTryAt: '2026-12-24T08:00:00.000Z' });
  await work();
  t.match(await message(), { status: 'V', delivery: 'waiting' }, 'its old job finds nothing to send');
  await move({ sendAt: null });
  await work();
  t.match(await message(), { status: 'OK', sendAt: null });
});

t.test('PATCH of a draft moves what its confirmation will read', async (t) => {
  const { inject, post, act } = await startBroker(t);
  const { id } = (await post({ confirm: false, sendAt: '2026-11-23T08:00:00Z', recipients: rows(1) })).body;
  const body = { sendAt: '2026-11-24T08:00:00Z', notAfter: '2026-11-25T08:00:00Z' };
  t.match(await inject('PATCH', `/v1/send-requests/${id}`, { body, headers: { 'if-match': '*' } }), {
    status: 200,
    body: { status: 'draft', sendAt: '2026-11-24T08:00:00.000Z' },
  });
  const confirmed = await act(id, 'confirm', {});
  t.match((await inject('GET', `/v1/messages/${confirmed.body.messages[0].id}`)).body, {
    sendAt: '2026-11-24T08:00:00.000Z',
    notAfter: '2026-11-25T08:00:00.000Z',
  });
});

t.test('a dedupeKey makes one message, within a request and over several, also at once', async (t) => {
  const service = await startBroker(t);
  const { post, addTemplate } = service;
  const recipients = [row(0, { dedupeKey: 'C-0/2027' }), row(1, { dedupeKey: 'C-0/2027' }), row(2)];
  const first = await post({ recipients });
  t.match(first.body, { counts: { created: 2, E: 2 }, repeated: [{ index: 1, template: 'avis' }] });
  const owner = first.body.messages[0].id;
  t.equal(first.body.repeated[0].messageId, owner);
  const second = await post({ recipients });
  t.match(second.body.counts, { created: 1, E: 1 });
  t.same(
    second.body.repeated.map(({ messageId }: { messageId: string }) => messageId),
    [owner, owner],
  );
  await addTemplate('relance');
  t.match((await post({ template: 'relance', recipients })).body.counts, { created: 2 }, 'unique per template');
  t.match((await post({ recipients }, { key: service.tenant.testKey })).body.counts, { created: 2 }, 'tests apart');
  const before = Number(await messageCount(service));
  const shared = rows(40).map((one, index) => ({ ...one, dedupeKey: `at-once-${index}` }));
  const answers = await Promise.all([shared, shared.toReversed(), shared].map((recipients) => post({ recipients })));
  t.ok(answers.every(({ status }) => status === 201));
  t.equal(await messageCount(service), before + 40);
});

t.test('templates[]: one message for each template and recipient', async (t) => {
  const { post, addTemplate } = await startBroker(t);
  await addTemplate('relance');
  const answer = await post({ templates: ['avis', 'relance'], recipients: rows(3) });
  t.match(answer.body.counts, { created: 6, E: 6 });
  t.same(
    answer.body.messages.map(({ index, template }: Record<string, unknown>) => `${template} ${index}`),
    ['avis 0', 'avis 1', 'avis 2', 'relance 0', 'relance 1', 'relance 2'],
  );
  t.match(await post({ templates: ['avis', 'avis'], recipients: rows(1) }), { status: 400 });
  t.match(await post({ templates: ['avis', 'none'], recipients: rows(1) }), {
    status: 422,
    body: { errors: [{ pointer: '/templates/1', code: 'template_unknown' }] },
  });
});

t.test('W2 a document type without a template of its own uses the default content', async (t) => {
  const { inject, post, addTemplate } = await startBroker(t);
  await addTemplate('relance', { documentTypes: ['relance-impaye'] });
  const recipients = rows(1);
  t.match((await post({ documentType: 'relance-impaye', recipients })).body.messages, [{ template: 'relance' }]);
  const unknown = { documentType: 'attestation', recipients };
  t.match(await post(unknown), {
    status: 422,
    body: { errors: [{ pointer: '/documentType', code: 'template_unknown' }] },
  });
  const settings = { body: { defaultTemplate: 'avis' }, headers: { 'if-match': '*' } };
  t.equal((await inject('PATCH', '/v1/tenant', settings)).status, 200);
  const answer = await post(unknown);
  t.match(answer.body.messages, [{ template: 'avis', status: 'E' }]);
  t.match((await inject('GET', `/v1/send-requests/${answer.body.id}`)).body, { documentType: 'attestation' });
});

t.test('W10 validation: the strictest decides, and automatic needs the right to validate', async (t) => {
  const { inject, post, act, keyWith, addTemplate } = await startBroker(t);
  const recipients = rows(1);
  const sender = await keyWith(['send:bulk']);
  const validator = await keyWith(['send:bulk', 'messages:validate']);
  const automatic = { validation: 'automatic', recipients };
  t.match(await post({ recipients }, { key: sender }), { status: 201, body: { counts: { E: 1 } } });
  t.match(await post(automatic, { key: sender }), { status: 403, body: { code: 'validation_not_allowed' } });
  t.match(await post(automatic, { key: validator }), { status: 201, body: { counts: { V: 1 } } });
  const draft = await post({ ...automatic, confirm: false }, { key: validator });
  t.match(await act(draft.body.id, 'confirm', {}, { key: sender }), {
    status: 403,
    body: { code: 'validation_not_allowed' },
  });
  t.match(await act(draft.body.id, 'confirm', {}, { key: validator }), { status: 200, body: { counts: { V: 1 } } });
  await addTemplate('stricte', { validation: 'manual' });
  t.match((await post({ ...automatic, template: 'stricte' })).body.counts, { E: 1 });
  await inject('PATCH', '/v1/tenant', { body: { defaultValidation: 'automatic' }, headers: { 'if-match': '*' } });
  t.match((await post({ recipients }, { key: sender })).body.counts, { V: 1 });
  t.match((await post({ recipients, validation: 'manual' }, { key: sender })).body.counts, { E: 1 });
});

t.test('rights: one message with send:single, more with send:bulk; reading and changing have their own', async (t) => {
  const { inject, post, act, keyWith, addTemplate } = await startBroker(t);
  await addTemplate('relance');
  const key = await keyWith(['send:single']);
  const bulk = await keyWith(['send:bulk']);
  const reader = await keyWith(['send-requests:read']);
  t.equal((await post({ recipients: rows(1) }, { key })).status, 201);
  t.match(await post({ recipients: rows(2) }, { key }), {
    status: 403,
    body: { code: 'forbidden', scope: 'send:bulk' },
  });
  const both = { templates: ['avis', 'relance'], recipients: rows(1) };
  t.match(await post(both, { key }), { status: 403, body: { scope: 'send:bulk' } });
  t.match(await post({ recipients: rows(2), dryRun: true }, { key }), { status: 403 });
  t.equal((await post({ recipients: rows(1) }, { key: bulk })).status, 201);
  const draft = (await post({ recipients: rows(2), confirm: false }, { key: bulk })).body.id;
  t.match(await act(draft, 'confirm', {}, { key }), { status: 403, body: { scope: 'send:bulk' } });
  t.match(await act(draft, 'cancel', undefined, { key: bulk }), { status: 403 });
  t.equal((await inject('GET', `/v1/send-requests/${draft}`, { key: bulk })).status, 403);
  t.equal((await inject('GET', `/v1/send-requests/${draft}`, { key: reader })).status, 200);
  t.match(await post({ recipients: rows(1) }, { key: reader }), { status: 403 });
  t.match(await post({ recipients: rows(1) }, { key: null }), { status: 401 });
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
