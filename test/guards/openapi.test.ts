import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { errorCodes, escapePointer } from '../../src/errors.ts';
import { openapiDocument } from '../../src/http/document.ts';
import { queues } from '../../src/queue/queues.ts';
import { scopes } from '../../src/tenants/rights.ts';
import { documentAjv, operationsOf, readDocument } from '../support/openapi.ts';
import { pathFor, seedTenant } from '../support/seeds.ts';
import { startService } from '../support/service.ts';

const document = await readDocument();
const operations = operationsOf(document);

/** Nobody needs a key for these. Whatever is added here is open to the world. */
const publicOperations = ['getLiveness', 'getReadiness', 'showUnsubscribe', 'unsubscribe'];

/** Bodies that are no JSON have no example in the document: a test of their own sends them. */
const withoutExample: Readonly<Record<string, string[]>> = {
  createDocument: ['multipart/form-data'],
  unsubscribe: ['application/x-www-form-urlencoded', 'multipart/form-data'],
  importRecipients: ['text/csv', 'application/x-ndjson'],
  importSuppressions: ['text/csv', 'application/x-ndjson'],
};

test('openapi/openapi.json is what the routes say', async (t) => {
  const committed = readFileSync(new URL('../../openapi/openapi.json', import.meta.url), 'utf8');
  t.equal(committed === `${JSON.stringify(await openapiDocument(), null, 2)}\n`, true, 'run "npm run openapi"');
});

test('every operation has an id of its own, one declared tag and a summary', async (t) => {
  t.ok(operations.length >= 75, `${operations.length} operations`);
  t.equal(new Set(operations.map(({ id }) => id)).size, operations.length);
  const tags = document.tags.map(({ name }) => name);
  for (const { id, tags: own = [], summary = '' } of operations) {
    t.match(id, /^[a-z][A-Za-z]+$/);
    t.equal(own.length, 1, id);
    t.ok(tags.includes(own[0] ?? ''), `${id}: the tag ${own[0]} is declared`);
    t.match(summary, /^[A-Z].{5,80}$/, id);
  }
  t.same(
    tags.filter((tag) => !operations.some(({ tags: own }) => own?.includes(tag))),
    [],
    'no tag is unused',
  );
});

test('every operation says its scope, and only those on the list are public', async (t) => {
  for (const { id, description = '', security, path } of operations) {
    if (publicOperations.includes(id)) {
      t.same(security, [], id);
      t.match(description, /No key needed\.$/, id);
      continue;
    }
    t.same(security, [{ key: [] }], id);
    if (path.startsWith('/v1/tenants')) {
      t.match(description, /Needs the platform key\.$/, id);
      continue;
    }
    const named = [...(/Needs the scope (.+)\.$/.exec(description)?.[1] ?? '').matchAll(/`([^`]+)`/g)];
    t.ok(named.length > 0, `${id} names a scope`);
    for (const [, scope = ''] of named) t.ok((scopes as readonly string[]).includes(scope), `${id}: ${scope}`);
  }
});

test('every route but the public ones refuses to answer without a key, and with a key without its scope', async (t) => {
  const service = await startService(t);
  const seeds = await seedTenant(service, service.tenant);
  const { body } = await seeds.inject('POST', '/v1/api-keys', {
    body: { name: 'Sans droit', kind: 'live', scopes: ['audit-entries:create'] },
  });
  for (const operation of operations.filter(({ id }) => !publicOperations.includes(id))) {
    const path = pathFor(seeds, operation);
    const example = operation.examples.length === 0 ? {} : { body: operation.examples[0] };
    const anonymous = await seeds.inject(operation.method, path, { key: null, ...example });
    t.match(anonymous, { status: 401, body: { code: 'unauthenticated' } }, operation.id);
    const powerless = await seeds.inject(operation.method, path, { key: body.secret, ...example });
    // The platform's routes do not know tenants' keys at all.
    const expected = operation.path.startsWith('/v1/tenants')
      ? { status: 401, body: { code: 'unauthenticated' } }
      : { status: 403, body: { code: 'forbidden' } };
    t.match(powerless, expected, operation.id);
  }
});

test('every operation has its errors, as problem documents', async (t) => {
  for (const { id, responses, security, parameters = [], requestBody } of operations) {
    const has = (status: number) => t.ok(responses[status], `${id} has ${status}`);
    for (const status of [400, 429, 500, 503]) has(status);
    if (security?.length !== 0) for (const status of [401, 403]) has(status);
    if (parameters.some((parameter) => parameter.in === 'path')) has(404);
    if (requestBody !== undefined) for (const status of [413, 415]) has(status);
    if (parameters.some(({ name }) => name === 'Idempotency-Key')) for (const status of [409, 422]) has(status);
    if (parameters.some(({ name, required }) => name === 'If-Match' && required)) for (const s of [412, 428]) has(s);
    t.ok(
      Object.keys(responses).some((status) => /^20\d$/.test(status)),
      `${id} has a success`,
    );
    for (const [status, { content, description = '' }] of Object.entries(responses)) {
      t.not(description, '', `${id} ${status}`);
      if (Number(status) < 400) continue;
      const problem = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
      t.strictSame(content, problem, `${id} ${status}`);
      for (const [, code = ''] of description.matchAll(/^`([a-z_]+)`/gm)) {
        t.equal(errorCodes[code as keyof typeof errorCodes]?.status, Number(status), `${id}: ${code}`);
      }
    }
  }
});

test('every error code is told by an operation, or by the introduction', async (t) => {
  const told = [
    document.info.description,
    ...operations.flatMap(({ responses }) => Object.values(responses).map(({ description = '' }) => description)),
  ].join('\n');
  t.same(
    Object.keys(errorCodes).filter((code) => !told.includes(`\`${code}\``)),
    [],
  );
});

test('every queue has a worker', async (t) => {
  const { runtime, work } = await startService(t);
  const claimed = new Set<string>();
  const fetch = runtime.jobs.fetch;
  Object.assign(runtime.jobs, {
    fetch: (...given: Parameters<typeof fetch>) => {
      claimed.add(given[1]);
      return fetch(...given);
    },
  });
  await work();
  t.strictSame([...claimed].sort(), queues.map(({ name }) => name).sort());
});

test('every request body has examples, and each is valid by its own schema', async (t) => {
  const ajv = documentAjv(document);
  for (const { id, path, method, requestBody, examples } of operations) {
    if (requestBody === undefined) continue;
    const types = withoutExample[id];
    if (types !== undefined) {
      t.same(Object.keys(requestBody.content ?? {}), types, id);
      continue;
    }
    t.not(examples.length, 0, id);
    // By its place in the document, to which the components that it refers to belong.
    const place = ['paths', path, method.toLowerCase(), 'requestBody', 'content', 'application/json', 'schema'];
    const pointer = place.map((part) => encodeURIComponent(escapePointer(part))).join('/');
    const validate = ajv.compile({ $ref: `document#/${pointer}` });
    for (const example of examples) t.ok(validate(example), `${id}: ${ajv.errorsText(validate.errors)}`);
  }
});

test('every parameter is described, and none with a default is required', async (t) => {
  for (const { id, path, parameters = [] } of operations) {
    for (const { name, description = '', required = false, schema, in: place } of parameters) {
      t.not(description, '', `${id}: ${name}`);
      t.notOk(required && 'default' in schema, `${id}: ${name} need not be given`);
      t.notOk(place === 'path' && !required, `${id}: ${name} is required`);
    }
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    t.same(
      parameters.filter((one) => one.in === 'path').map(({ name }) => name),
      inPath,
      id,
    );
  }
});

test('the document is clean OpenAPI 3.1', async (t) => {
  const text = JSON.stringify(document);
  t.match(document.openapi, /^3\.1\./);
  for (const old of ['"nullable"', '"schema-', '#/definitions', '"$id"', 'x-body-optional']) {
    t.notOk(text.includes(old), `no ${old}`);
  }
  for (const [, name = ''] of text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
    t.ok(name in document.components.schemas, `the component ${name} exists`);
  }
  for (const { id, responses } of operations) {
    for (const [status, { content }] of Object.entries(responses)) {
      if (status === '204') t.equal(content, undefined, id);
      else
        t.ok(
          Object.keys(content ?? {}).every((type) => /^[a-z]+\/[\w.+-]+$/.test(type)),
          `${id} ${status}`,
        );
    }
  }
});
