/** A person is erased: a dump of the database and of the files is searched for what was known of them. */
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { done, pdf, upload } from '../support/broker.ts';
import { placesOf } from '../support/dump.ts';
import { setUpContent, waysOf } from '../support/sending.ts';
import { startService, type TestService } from '../support/service.ts';

t.setTimeout(600_000);

const ann = 'external:client:C-4711-zyx';
const address = 'Ann.Oneill@Exämple-courriel.fr';

/** What was known of the person, and must be nowhere. */
const strings = [
  'ann.oneill',
  'C-4711-zyx',
  'Oneill-Kowalczyk',
  '612987654',
  'pseudo-attribute',
  'word-of-data',
  'word-of-document',
  'avis-oneill.pdf',
  'word-of-remark',
  'word-of-override',
  'DOSSIER-ONEILL',
  'note-on-ann',
  'answer-of-ann',
  'cle-oneill',
  'proof-of-ann',
];

async function setUp(t: Parameters<typeof startService>[0]) {
  const service = await startService(t);
  await setUpContent(service);
  await done(
    service.inject('POST', '/v1/channel-accounts', { body: { name: 'Files', channel: 'mail', driver: 'outbox' } }),
  );
  const ways = waysOf(service);
  await done(
    service.inject('PUT', `/v1/recipients/${ann}`, {
      body: {
        displayName: 'Ann Oneill-Kowalczyk',
        attributes: { pseudo: 'pseudo-attribute' },
        addresses: [
          { kind: 'mail', value: address },
          { kind: 'mail', value: 'household@people.test', preferred: false },
          { kind: 'mobile', value: '06 12 98 76 54' },
        ],
      },
    }),
  );
  await done(
    service.inject('PUT', '/v1/recipients/external:client:BOB', {
      body: { displayName: 'Bob', addresses: [{ kind: 'mail', value: 'household@people.test' }] },
    }),
  );
  return { ...service, ...ways };
}

const theirRow = (more: object = {}) => ({
  recipient: ann,
  data: { name: 'word-of-data' },
  context: { type: 'dossier', ref: 'DOSSIER-ONEILL' },
  remark: 'word-of-remark',
  ...more,
});

/** Asks for the erasure, and lets it be done. */
async function erase(service: TestService, reference = ann) {
  const headers = { 'idempotency-key': `erase-cle-oneill-${randomUUID()}` };
  const { operation } = await done(
    service.inject('POST', `/v1/recipients/${encodeURIComponent(reference)}/erase`, { headers }),
  );
  await service.work();
  return done(service.inject('GET', `/v1/operations/${operation}`));
}

t.test('nothing of a person who was erased is left anywhere, and the counts hold', async (t) => {
  const service = await setUp(t);
  const { inject, post, send, counts } = service;
  const consents = [{ addressKind: 'mail', level: 1, proof: 'proof-of-ann' }];
  await done(inject('PUT', `/v1/recipients/${ann}/consents`, { body: { consents } }));
  const own = await upload(service, 'avis-oneill.pdf', pdf('word-of-document'));
  const shared = await upload(service, 'conditions.pdf', pdf('conditions of all'));
  const documents = [own, shared];
  const headers = { 'idempotency-key': 'cle-oneill-1' };
  const sent = await send(
    [theirRow({ documents, dedupeKey: 'cle-oneill-dedupe' })],
    { context: { type: 'dossier', ref: 'DOSSIER-ONEILL' } },
    { headers },
  );
  const batch = await send([
    theirRow(),
    { to: { address: 'bob@people.test' }, data: { name: 'Bob' }, documents: [shared] },
  ]);
  const inline = await send([{ to: { address, name: 'Ann Oneill-Kowalczyk' }, data: { name: 'word-of-data' } }]);
  const copied = await send([
    {
      to: { address: 'bob@people.test' },
      cc: [{ address: address.toUpperCase(), name: 'Ann Oneill-Kowalczyk' }],
      data: { name: 'Bob' },
    },
  ]);
  const house = await send([{ to: { address: 'household@people.test' }, data: { name: 'House' } }]);
  await service.work();
  const tests = await send([theirRow()], {}, { key: service.tenant.testKey });
  const failed = await send([theirRow({ to: { address: 'no address of Ann.Oneill' } })]);
  const waiting = await send([theirRow()], { validation: 'manual', overrides: { subject: 'word-of-override' } });
  const planned = await send([theirRow({ bcc: [{ address: 'bob@people.test' }] })], { sendAt: '2027-01-04T08:00:00Z' });
  await done(
    inject('PATCH', `/v1/messages/${failed.messages[0]}`, {
      headers: { 'if-match': '*' },
      body: { remark: 'word-of-remark' },
    }),
  );
  await done(post(`/v1/messages/${waiting.messages[0]}/block`, { reason: 'word-of-remark' }));
  await done(post('/v1/suppressions', { address, cause: 'manual', note: 'note-on-ann' }));
  await done(
    post(
      `/v1/recipients/${ann}/responses`,
      { context: { type: 'q', ref: 'answer-of-ann' } },
      { headers: { 'idempotency-key': 'cle-oneill-2' } },
    ),
  );
  const draft = (recipients: object[], ref: string) =>
    done(
      post(
        '/v1/send-requests',
        { template: 'notice', confirm: false, recipients, context: { type: 'dossier', ref } },
        { headers: { 'idempotency-key': `cle-oneill-${randomUUID()}` } },
      ),
    );
  const lone = await draft([theirRow()], 'DOSSIER-ONEILL');
  const others = [
    theirRow(),
    { to: { address }, data: { name: 'word-of-data' } },
    {
      to: { address: 'bob@people.test' },
      cc: [{ address }, { address: 'eve@people.test' }],
      data: { name: 'Bob' },
    },
  ];
  const mixed = await draft(others, 'EDITION');
  const exports = [];
  for (const format of ['csv', 'ndjson']) {
    exports.push((await done(post('/v1/exports', { kind: 'messages', format }))).operation);
  }
  const filtered = (
    await done(post('/v1/exports', { kind: 'messages', format: 'csv', filter: { address, recipient: ann } }))
  ).operation;
  const other = (
    await done(post('/v1/exports', { kind: 'messages', format: 'csv', filter: { sendRequest: house.id } }))
  ).operation;
  await service.work();
  const kept = await placesOf(service, strings);
  for (const text of strings) {
    t.ok(
      kept.some((place) => place.endsWith(text)),
      `${text} is kept before`,
    );
  }
  const requests = [sent, batch, inline, copied, house, failed, waiting, planned];
  const before = await Promise.all(requests.map(({ id }) => counts(id)));

  const operation = await erase(service);
  t.match(operation, { kind: 'erase', status: 'done', total: 7, done: 7, succeeded: 7 });
  t.same(await placesOf(service, strings), [], 'nothing is left');

  const after = await Promise.all(requests.map(({ id }) => counts(id)));
  const unwaiting = before.map(({ V, B, E, ...rest }) => ({ ...rest, B: B + V + E, V: 0, E: 0 }));
  t.same(after, unwaiting, 'every message is still counted');
  const [message = ''] = planned.messages;
  t.match(await service.message(message), {
    status: 'B',
    reason: 'suppressed',
    to: null,
    recipient: null,
    subject: null,
    data: {},
    erasedAt: String,
  });
  t.match(await service.message(sent.messages[0] ?? ''), {
    status: 'OK',
    to: null,
    documents: [],
    contentHash: String,
    context: null,
    providerReference: null,
  });
  t.match((await service.message(batch.messages[1] ?? '')).documents, [{ id: shared }], 'others keep theirs');
  t.equal((await inject('GET', `/v1/documents/${shared}/content`)).status, 200);
  t.equal((await inject('GET', `/v1/documents/${own}`)).status, 404);
  t.match(
    await service.message(house.messages[0] ?? ''),
    { to: { address: 'household@people.test' } },
    'a shared address is somebody else’s',
  );
  t.match(await service.message(copied.messages[0] ?? ''), {
    status: 'OK',
    erasedAt: null,
    copies: [{ kind: 'cc', address: null, outcome: 'accepted' }],
  });
  t.equal((await inject('GET', `/v1/messages/${tests.messages[0]}`)).body.to, null, 'test messages too');

  t.match((await inject('GET', `/v1/send-requests/${lone.id}`)).body, { status: 'cancelled', context: null });
  t.match((await inject('GET', `/v1/send-requests/${mixed.id}`)).body, { status: 'draft', recipientCount: 1 });
  const confirmed = await done(post(`/v1/send-requests/${mixed.id}/confirm`, {}));
  t.match(await service.message(confirmed.messages[0].id), {
    to: { address: 'bob@people.test' },
    copies: [{ address: 'eve@people.test' }],
  });
  for (const id of exports)
    t.match(await inject('GET', `/v1/exports/${id}/content`), { status: 410, body: { code: 'erased' } });
  t.match(await inject('GET', `/v1/exports/${filtered}/content`), { status: 410 });
  t.equal((await inject('GET', `/v1/exports/${other}/content`)).status, 200, 'who is not in a file leaves it alone');

  t.equal((await inject('GET', `/v1/recipients/${ann}`)).status, 404);
  t.match(await service.events('recipient.erased'), [{ data: { operation: operation.id } }]);
  const { items } = (await inject('GET', '/v1/audit-entries?resourceType=recipient')).body;
  t.match(items[0], { action: 'erased', fields: [] });
});

t.test('who was suppressed stays suppressed, when they are known again too', async (t) => {
  const service = await setUp(t);
  await done(service.post('/v1/suppressions', { address, cause: 'complaint', note: 'note-on-ann' }));
  await erase(service);
  t.match((await service.inject('GET', '/v1/suppressions')).body.items, [
    { address: null, note: null, cause: 'complaint' },
  ]);
  t.equal(
    (await service.inject('GET', `/v1/suppressions?address=${encodeURIComponent(address)}`)).body.items.length,
    1,
  );
  await done(
    service.inject('PUT', `/v1/recipients/${ann}`, {
      body: { addresses: [{ kind: 'mail', value: address.toLowerCase() }] },
    }),
  );
  const { messages } = await service.send([
    theirRow(),
    { to: { address: address.toUpperCase() }, data: { name: 'x' } },
  ]);
  for (const id of messages) t.match(await service.message(id), { status: 'B', reason: 'suppressed' });
});

t.test('keys that named an erased person still hold: nothing is sent again', async (t) => {
  const service = await setUp(t);
  const headers = { 'idempotency-key': 'cle-oneill-1' };
  const body = { template: 'notice', validation: 'automatic', recipients: [theirRow({ dedupeKey: 'cle-oneill' })] };
  const first = await done(service.post('/v1/send-requests', body, { headers }));
  await service.work();
  await erase(service);
  t.same(await placesOf(service, strings), []);
  const replayed = await service.post('/v1/send-requests', body, { headers });
  t.match(replayed, { status: 201, headers: { 'idempotency-replayed': 'true' }, body: { id: first.id } });
  const other = await service.post('/v1/send-requests', { ...body, origin: 'other' }, { headers });
  t.match(other, { status: 422, body: { code: 'idempotency_key_reused' } });
  const again = await done(service.post('/v1/send-requests', body, { headers: { 'idempotency-key': randomUUID() } }));
  t.match(again, { counts: { created: 0 }, repeated: [{ messageId: first.messages[0].id }] });
});

t.test('an erased message can be neither seen, nor corrected, nor sent', async (t) => {
  const service = await setUp(t);
  const { messages } = await service.send([theirRow(), theirRow({ to: { address: 'nowhere' } })], {
    validation: 'manual',
  });
  await erase(service);
  const [blocked = '', failed = ''] = messages;
  const erased = { status: 410, body: { code: 'erased' } };
  for (const view of ['preview', 'preview.html', 'preview.txt', 'preview.eml']) {
    t.match(await service.inject('GET', `/v1/messages/${blocked}/${view}`), erased, view);
  }
  t.match(await service.post(`/v1/messages/${blocked}/validate`, {}), erased);
  t.match(await service.post(`/v1/messages/${failed}/resend`, {}), erased);
  t.match(await service.post(`/v1/messages/${failed}/resolve`, { outcome: 'sent' }), erased);
  const correction = { to: { address: 'new@people.test' } };
  t.match(
    await service.inject('PATCH', `/v1/messages/${failed}`, { body: correction, headers: { 'if-match': '*' } }),
    erased,
  );
  const many = await done(service.post('/v1/messages/validate', { ids: messages }));
  t.match(many, { done: 0, refused: [{ code: 'erased' }, { code: 'erased' }] });
  t.match(await service.message(blocked), { status: 'B', reason: 'erased' });
  t.same(await service.moves(blocked), ['·→E', 'E→B erased']);
});
