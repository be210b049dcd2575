/** An organisation sees nothing of another, and a test key nothing of the live part: not even that it exists. */
import { randomUUID } from 'node:crypto';
import t, { type Test } from 'tap';
import { type DocumentedOperation, operationsOf, readDocument } from '../support/openapi.ts';
import { noticeData, pathFor, type Seeds, seedTenant } from '../support/seeds.ts';
import { type Answer, startService } from '../support/service.ts';

t.setTimeout(600_000);

const operations = operationsOf(await readDocument());
const withId = operations.filter(({ path }) => path.includes('{id}') && !path.startsWith('/v1/tenants'));

/** Asks for `id` with another key, complete but for the id: with the body and the headers that the route wants. */
async function tryWith(owner: Seeds, key: string, operation: DocumentedOperation, id: string): Promise<Answer> {
  const needs = (name: string) => operation.parameters?.some((one) => one.name === name && one.required) ?? false;
  return owner.inject(operation.method, pathFor(owner, operation, id), {
    key,
    headers: {
      ...(needs('If-Match') ? { 'if-match': '*' } : {}),
      ...(operation.parameters?.some(({ name }) => name === 'Idempotency-Key')
        ? { 'idempotency-key': randomUUID() }
        : {}),
    },
    ...(operation.examples.length === 0 ? {} : { body: operation.examples[0] }),
  });
}

/** Asserts that an id answers to this key exactly as an id that nobody has. */
async function seesNothing(t: Test, owner: Seeds, key: string, operation: DocumentedOperation, id: string) {
  const unknown = randomUUID();
  const real = await tryWith(owner, key, operation, id);
  const absent = await tryWith(owner, key, operation, unknown);
  t.equal(absent.status, 404, `${operation.id} of an id that does not exist`);
  t.equal(real.status, 404, `${operation.id} of ${id}`);
  const text = ({ raw }: Answer, written: string) => raw.toString('utf8').replaceAll(written, '{id}');
  t.equal(text(real, id), text(absent, unknown), `${operation.id}: the same answer`);
  t.same(Object.keys(real.headers).sort(), Object.keys(absent.headers).sort(), `${operation.id}: the same headers`);
}

async function twoTenants(t: Test) {
  const service = await startService(t);
  const owner = await seedTenant(service, service.tenant);
  const other = await service.addTenant('Mutuelle Armor');
  const ask = (method: string, path: string, body?: object) =>
    service.inject(method, path, {
      key: other.key,
      ...(body === undefined ? {} : { body, headers: { 'idempotency-key': randomUUID() } }),
    });
  return { service, owner, other, ask };
}

t.test('no route with an id finds what belongs to another tenant', async (t) => {
  const { service, owner, other } = await twoTenants(t);
  const before = await service.inject('GET', `/v1/messages/${owner.messages.E}`);
  t.ok(withId.length >= 45, `${withId.length} routes`);
  for (const operation of withId) {
    // The id is real: its owner is not told that it does not exist.
    if (operation.method === 'GET') {
      t.equal((await owner.inject('GET', pathFor(owner, operation))).status, 200, operation.id);
    }
    await seesNothing(t, owner, other.key, operation, idOf(owner, operation));
  }
  t.same((await service.inject('GET', `/v1/messages/${owner.messages.E}`)).body, before.body, 'nothing has changed');
});

const idOf = (owner: Seeds, operation: DocumentedOperation) =>
  pathFor(owner, operation).split('/')[operation.path.split('/').indexOf('{id}')] ?? '';

t.test('a test key finds no live message, send request or export', async (t) => {
  const { owner } = await twoTenants(t);
  const { testKey } = owner.tenant;
  const live = (operation: DocumentedOperation): string[] => {
    if (operation.path.startsWith('/v1/messages/')) return Object.values(owner.messages);
    if (operation.path.startsWith('/v1/send-requests/')) return [owner.sendRequest, owner.draft];
    return /^\/v1\/(exports|operations)\//.test(operation.path) ? [owner.export] : [];
  };
  let tried = 0;
  for (const operation of withId) {
    for (const id of live(operation)) {
      await seesNothing(t, owner, testKey, operation, id);
      tried += 1;
    }
  }
  t.ok(tried > 40, `${tried} tried`);
  const own = await owner.inject('GET', `/v1/messages/${owner.test.OK}`, { key: testKey });
  t.equal(own.status, 200, 'its own it finds');
  for (const path of ['/v1/messages', '/v1/send-requests', '/v1/events']) {
    const { body } = await owner.inject('GET', path, { key: testKey });
    t.ok(body.items.length > 0, `${path} shows something`);
    t.ok(
      body.items.every(({ test }: { test: boolean }) => test),
      `${path} shows nothing live`,
    );
  }
});

t.test('no list, filter or action of another tenant reaches them', async (t) => {
  const { service, owner, ask } = await twoTenants(t);
  const ids = [...Object.values(owner), ...Object.values(owner.messages), ...Object.values(owner.test)].filter(
    (one) => typeof one === 'string',
  );
  t.ok(ids.length > 15);
  for (const { id, path } of operations.filter((one) => one.id.startsWith('list') && !one.path.includes('{'))) {
    if (path.startsWith('/v1/tenants')) continue;
    const { status, raw } = await ask('GET', path);
    t.equal(status, 200, id);
    t.same(
      ids.filter((one) => raw.includes(one)),
      [],
      id,
    );
  }
  for (const filter of [
    `template=${owner.template}`,
    `sendRequest=${owner.sendRequest}`,
    `recipient=${owner.recipient}`,
    'recipient=external:client:C-1001',
    'template=avis-echeance',
    'address=e@courriel.example',
    'context=D-2026-000123',
  ]) {
    t.same((await ask('GET', `/v1/messages?${filter}`)).body.items, [], filter);
    t.ok((await ask('GET', `/v1/messages?${filter}`)).status === 200, filter);
  }
  for (const action of ['validate', 'block', 'resend']) {
    const unknown = randomUUID();
    const { body } = await ask('POST', `/v1/messages/${action}`, { ids: [owner.messages.E, unknown] });
    const refused = [owner.messages.E, unknown].map((id) => ({ id, code: 'not_found' }));
    t.same(body, { matched: 2, done: 0, refused }, action);
    const filter = { sendRequest: owner.sendRequest };
    t.same((await ask('POST', `/v1/messages/${action}`, { filter })).body.matched, 0, action);
  }
  t.equal((await service.inject('GET', `/v1/messages/${owner.messages.E}`)).body.status, 'E');
});

t.test('an export holds nothing of another tenant', async (t) => {
  const { service, owner, ask } = await twoTenants(t);
  const body = { kind: 'messages', format: 'ndjson', filter: { sendRequest: owner.sendRequest } };
  const { operation } = (await ask('POST', '/v1/exports', body)).body;
  await service.work();
  const mine = await ask('GET', `/v1/exports/${operation}/content`);
  t.equal(mine.status, 200);
  t.equal(mine.raw.length, 0);
  const whole = await ask('POST', '/v1/exports', { kind: 'messages', format: 'ndjson' });
  await service.work();
  t.equal((await ask('GET', `/v1/exports/${whole.body.operation}/content`)).raw.length, 0);
});

t.test('a body that names what another tenant has is told that it does not exist', async (t) => {
  const { service, owner, other, ask } = await twoTenants(t);
  const to = { address: 'x@courriel.example' };
  const row = { to, data: noticeData };
  const pointerOf = ({ status, body }: Answer) => [status, body.errors?.[0]?.pointer, body.errors?.[0]?.code];
  for (const template of [owner.template, 'avis-echeance']) {
    const answer = await ask('POST', '/v1/send-requests', { template, recipients: [row] });
    t.same(pointerOf(answer), [422, '/template', 'template_unknown']);
  }
  const byType = await ask('POST', '/v1/send-requests', { documentType: 'avis-echeance', recipients: [row] });
  t.same(pointerOf(byType), [422, '/documentType', 'template_unknown']);
  const type = await ask('POST', '/v1/templates', {
    key: 'x',
    title: 'X',
    channel: 'mail',
    notificationType: owner.notificationType,
  });
  t.same(pointerOf(type), [422, '/notificationType', 'notification_type_unknown']);
  for (const extraction of [owner.extraction, 'seeded']) {
    const named = await ask('POST', '/v1/templates', { key: 'x', title: 'X', channel: 'mail', extraction });
    t.same(pointerOf(named), [422, '/extraction', 'extraction_unknown']);
  }
  for (const dataSource of [owner.source, 'seeded']) {
    const query = 'select key from unnest(:keys) as key';
    const asking = await ask('POST', '/v1/extractions', { key: 'x', title: 'X', keyColumn: 'key', query, dataSource });
    t.same(pointerOf(asking), [422, '/dataSource', 'data_source_unknown']);
  }

  const mine = await seedTenant(service, other);
  const version = { subject: 'a', text: 'b', html: '<p>c</p>', senderId: owner.sender };
  const versions = await mine.inject('POST', `/v1/templates/${mine.template}/versions`, { body: version });
  t.same(pointerOf(versions), [422, '/senderId', 'sender_unknown']);
  const sender = await ask('POST', '/v1/send-requests', {
    template: 'avis-echeance',
    overrides: { sender: owner.sender },
    recipients: [row],
  });
  t.same(pointerOf(sender), [422, '/overrides/sender', 'sender_unknown']);
  const extracted = await mine.inject('POST', '/v1/send-requests', {
    body: { template: 'avis-echeance', extraction: owner.extraction, recipients: [row] },
    headers: { 'idempotency-key': randomUUID() },
  });
  t.same(pointerOf(extracted), [422, '/extraction', 'extraction_unknown']);
  const choices = await mine.inject('PUT', `/v1/recipients/${mine.recipient}/choices`, {
    body: { choices: [{ notificationType: owner.notificationType, channel: 'mail', accepted: true }] },
  });
  t.match(choices, { status: 422, body: { errors: [{ pointer: '/choices/0/notificationType' }] } });
  const rows = await ask('POST', '/v1/send-requests', {
    template: 'avis-echeance',
    recipients: [
      { recipient: owner.recipient, data: noticeData },
      { ...row, documents: [owner.document] },
    ],
  });
  t.match(rows, { status: 201, body: { counts: { created: 2, KO: 2 } } });
  t.match(rows.body.errors, [
    { index: 0, code: 'recipient_unknown' },
    { index: 1, code: 'document_invalid' },
  ]);
  const correction = await mine.inject('PATCH', `/v1/messages/${mine.messages.E}`, {
    body: { documents: [owner.document] },
    headers: { 'if-match': '*' },
  });
  t.same(pointerOf(correction), [422, '/documents/0', 'document_invalid']);
});
