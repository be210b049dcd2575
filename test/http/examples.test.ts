import { randomUUID } from 'node:crypto';
import t from 'tap';
import { pdf, upload } from '../support/broker.ts';
import { createAnswerChecker, type DocumentedOperation, operationsOf, readDocument } from '../support/openapi.ts';
import { pathFor, type Seeds, seedTenant } from '../support/seeds.ts';
import { platformKey, startService } from '../support/service.ts';

t.setTimeout(600_000);

const document = await readDocument();
const operations = operationsOf(document);
const checker = createAnswerChecker(document);

/** Asks as the document says: with the key and the headers that it names as required. */
async function ask(seeds: Seeds, operation: DocumentedOperation, body: unknown) {
  const path = pathFor(seeds, operation);
  const needs = (name: string) =>
    operation.parameters?.some((parameter) => parameter.name === name && parameter.required) ?? false;
  const key = operation.path.startsWith('/v1/tenants') ? { key: platformKey } : {};
  const etag = needs('If-Match') ? (await seeds.inject('GET', path, key)).headers.etag : undefined;
  const headers = {
    ...(needs('Idempotency-Key') ? { 'idempotency-key': randomUUID() } : {}),
    ...(etag === undefined ? {} : { 'if-match': String(etag) }),
  };
  return seeds.inject(operation.method, path, { ...key, headers, ...(body === undefined ? {} : { body }) });
}

/** What uses up its message: each example of it gets an organisation of its own. */
const actsOnMessages = ({ method, path }: DocumentedOperation) => method !== 'GET' && path.startsWith('/v1/messages');

t.test('every request example is answered with a documented success', async (t) => {
  const service = await startService(t);
  const shared = await seedTenant(service, service.tenant);
  let count = 0;
  for (const operation of operations.filter(({ requestBody }) => requestBody?.content?.['application/json'])) {
    t.not(operation.examples.length, 0, `${operation.id} has an example`);
    for (const [index, example] of operation.examples.entries()) {
      const name = `${operation.id} example ${index + 1}`;
      const seeds = actsOnMessages(operation) ? await seedTenant(service, await service.addTenant(name)) : shared;
      const answer = await ask(seeds, operation, example);
      t.match(answer.status, /^20[0-4]$/, `${name}: ${answer.status} ${answer.body.code ?? ''}`);
      t.equal(checker.faultOf(operation, answer), null, name);
      count += 1;
    }
  }
  t.ok(count >= 30, `${count} examples`);
});

t.test('every operation without a body is answered with a documented success', async (t) => {
  const service = await startService(t);
  const seeds = await seedTenant(service, service.tenant);
  const order = ['GET', 'POST', 'DELETE'];
  const bare = operations.filter(({ requestBody }) => requestBody === undefined);
  t.same([...new Set(bare.map(({ method }) => method))].sort(), [...order].sort());
  for (const operation of bare.sort((left, right) => order.indexOf(left.method) - order.indexOf(right.method))) {
    const answer = await ask(seeds, operation, undefined);
    t.match(answer.status, /^20[0-4]$/, `${operation.id}: ${answer.status} ${answer.body.code ?? ''}`);
    t.equal(checker.faultOf(operation, answer), null, operation.id);
  }
});

t.test('what is listed is as documented in every state that is seeded', async (t) => {
  const service = await startService(t);
  const seeds = await seedTenant(service, service.tenant);
  const messages = ['E', 'B', 'OK', 'planned'] as const;
  const ids = [...messages.map((name) => seeds.messages[name]), ...Object.values(seeds.test).slice(1)];
  const views = operations.filter(({ method, path }) => method === 'GET' && path.startsWith('/v1/messages/{id}'));
  t.equal(views.length, 8);
  for (const id of ids) {
    for (const view of views) {
      const answer = await seeds.inject('GET', pathFor(seeds, view, id));
      t.equal(answer.status, 200, `${view.id} ${answer.body.code ?? ''}`);
      t.equal(checker.faultOf(view, answer), null, view.id);
    }
  }
  const lists = operations.filter(({ id }) => id.startsWith('list') && id !== 'listTenants');
  for (const list of lists) {
    const answer = await seeds.inject('GET', pathFor(seeds, list));
    t.ok(answer.body.items.length > 0, `${list.id} shows something`);
    t.equal(checker.faultOf(list, answer), null, list.id);
  }
});

t.test('an upload is answered as documented, and its bytes come back with a documented type', async (t) => {
  const service = await startService(t);
  const id = await upload(service, 'avis.pdf', pdf('avis'));
  for (const name of ['getDocument', 'getDocumentContent']) {
    const operation = operations.find((one) => one.id === name);
    if (operation === undefined) throw new Error(`there is no operation ${name}`);
    const answer = await service.inject('GET', operation.path.replace('{id}', id));
    t.equal(answer.status, 200);
    t.equal(checker.faultOf(operation, answer), null, name);
  }
});

t.test('what is required in the document is refused when it is absent', async (t) => {
  const service = await startService(t);
  const seeds = await seedTenant(service, service.tenant);
  for (const operation of operations) {
    const required = operation.parameters?.filter((one) => one.in === 'header' && one.required) ?? [];
    if (required.length === 0 || operation.path.startsWith('/v1/tenants')) continue;
    const answer = await seeds.inject(operation.method, pathFor(seeds, operation), { body: operation.examples[0] });
    t.match(answer.body.code, /^(precondition_required|idempotency_key_missing)$/, operation.id);
    t.equal(checker.faultOf(operation, answer), null, operation.id);
  }
});

t.test('an answer that is not as documented is noticed', async (t) => {
  const service = await startService(t);
  const operation = operations.find(({ id }) => id === 'getOwnTenant');
  if (operation === undefined) throw new Error('there is no operation getOwnTenant');
  const answer = await service.inject('GET', '/v1/tenant');
  const faultOf = (changes: object) => checker.faultOf(operation, { ...answer, ...changes });
  t.equal(faultOf({}), null);
  const { name: _name, ...rest } = answer.body;
  t.match(faultOf({ body: { ...answer.body, revision: 1 } }), /additional properties/);
  t.match(faultOf({ body: rest }), /required property 'name'/);
  t.match(faultOf({ body: { ...answer.body, createdAt: 'today' } }), /date-time/);
  t.match(faultOf({ body: { ...answer.body, testRedirect: 1 } }), /must be/);
  t.match(faultOf({ status: 418 }), /418 is not documented/);
  t.match(faultOf({ headers: { 'content-type': 'text/html' } }), /text\/html is not documented/);
  const refused = await service.inject('GET', '/v1/tenant', { key: null });
  t.equal(checker.faultOf(operation, refused), null);
  const other = { ...refused, body: { ...refused.body, code: 'conflict' } };
  t.match(checker.faultOf(operation, other), /code conflict is not documented/);
});
