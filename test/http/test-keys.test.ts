import t from 'tap';
import { done } from '../support/broker.ts';
import { operationsOf, readDocument } from '../support/openapi.ts';
import { type Answer, type Ask, startService, type TestService } from '../support/service.ts';

/** Makes a key, with the tenant's own unless `ask` says otherwise. */
const makeKey = ({ inject }: TestService, body: object, ask: Ask = {}): Promise<Answer> =>
  inject('POST', '/v1/api-keys', { ...ask, body: { name: 'Office', kind: 'live', ...body } });

/** The secret of a new key. */
const keyWith = async (service: TestService, scopes: string[], more: object = {}): Promise<string> =>
  (await done(makeKey(service, { scopes, ...more }))).secret;

const outbox = { name: 'Outbox', channel: 'mail', driver: 'outbox' };
const whatever = { 'if-match': '*' };

/** What changes things that live messages depend on: the right it asks for, and what it answers to a live key. */
const liveOnly: [method: string, path: string, scope: string, body: object | null, status: number][] = [
  ['PATCH', '/v1/tenant', 'tenant:update', { documentMaxBytes: 1_000 }, 200],
  ['POST', '/v1/channel-accounts', 'channel-accounts:create', outbox, 201],
  ['PATCH', '/v1/channel-accounts/{id}', 'channel-accounts:update', { name: 'Other' }, 200],
  ['POST', '/v1/channel-accounts/{id}/test', 'channel-accounts:update', null, 200],
  ['POST', '/v1/channel-accounts/{id}/pause', 'channel-accounts:update', {}, 200],
  ['POST', '/v1/channel-accounts/{id}/resume', 'channel-accounts:update', null, 200],
  ['DELETE', '/v1/channel-accounts/{id}', 'channel-accounts:update', null, 204],
  ['DELETE', '/v1/api-keys/{id}', 'api-keys:update', null, 204],
];

t.test('the table names every route that writes the tenant, its keys or its accounts', async (t) => {
  const written = operationsOf(await readDocument())
    .filter(({ method, path }) => method !== 'GET' && /^\/v1\/(tenant|api-keys|channel-accounts)(\/|$)/.test(path))
    .map(({ method, path }) => `${method} ${path}`);
  const known = liveOnly.map(([method, path]) => `${method} ${path}`);
  // A test key may make keys, of its own kind only.
  t.same(written.sort(), ['POST /v1/api-keys', ...known].sort());
});

t.test('nor does it write people, or anything that is kept about them: every route of theirs refuses it', async (t) => {
  const { inject, tenant } = await startService(t);
  const ofPeople = /^\/v1\/(recipients|recipient-types|notification-types|suppressions)(\/|$)/;
  const reading = ['/v1/recipients/search', '/v1/recipients/count'];
  const written = operationsOf(await readDocument()).filter(
    ({ method, path }) => method !== 'GET' && ofPeople.test(path) && !reading.includes(path),
  );
  t.ok(written.length > 15, 'they are found');
  for (const { method, path } of written) {
    const filled = path.replaceAll(/\{\w+\}/g, '019c0000-0000-7000-8000-000000000000');
    const answer = await inject(method, filled, { key: tenant.testKey, headers: whatever });
    t.match(answer, { status: 403, body: { code: 'forbidden', detail: /test key/i } }, `${method} ${path}`);
  }
});

t.test('a test key writes neither tenant, nor keys, nor accounts, whatever its scopes', async (t) => {
  const service = await startService(t);
  const { inject, tenant } = service;
  const account = await done(inject('POST', '/v1/channel-accounts', { body: outbox }));
  const spare = await done(makeKey(service, { scopes: ['templates:read'] }));
  const reads = ['/v1/tenant', '/v1/channel-accounts', `/v1/channel-accounts/${account.id}`];
  const state = async (key: string) => Promise.all(reads.map(async (path) => done(inject('GET', path, { key }))));
  const before = await state(tenant.key);
  const call = ([method, path, , body]: (typeof liveOnly)[number], key: string) => {
    const filled = path.replace('{id}', path.startsWith('/v1/api-keys') ? spare.id : account.id);
    const given = body === null ? {} : { body };
    return inject(method, filled, { key, ...given, ...(method === 'PATCH' ? { headers: whatever } : {}) });
  };
  for (const route of liveOnly) {
    const [method, path, scope] = route;
    const own = await keyWith(service, [scope], { kind: 'test' });
    for (const [key, name] of [
      [tenant.testKey, 'admin'],
      [own, scope],
    ] as const) {
      const answer = await call(route, key);
      t.match(answer, { status: 403, body: { code: 'forbidden', detail: /test key/i } }, `${method} ${path}: ${name}`);
      t.equal(answer.body.scope, undefined, 'no further scope would help');
    }
  }
  t.same(await state(tenant.key), before, 'nothing has changed');
  t.equal((await inject('GET', '/v1/templates', { key: spare.secret })).status, 200, 'the key was not revoked');

  t.same(await state(tenant.testKey), before, 'a test key reads all of it');
  const keys = await inject('GET', '/v1/api-keys', { key: tenant.testKey });
  t.ok(
    keys.body.items.some(({ id }: { id: string }) => id === spare.id),
    'and the list of keys',
  );

  for (const route of liveOnly) {
    const [method, path, scope, , status] = route;
    const answer = await call(route, await keyWith(service, [scope]));
    t.equal(answer.status, status, `${method} ${path}: a live key with ${scope} may`);
  }
  t.equal((await inject('GET', '/v1/templates', { key: spare.secret })).status, 401, 'revoked by the live key');
});

t.test('a test key without the scope is told which one it lacks', async (t) => {
  const service = await startService(t);
  const key = await keyWith(service, ['tenant:read'], { kind: 'test' });
  const answer = await service.inject('PATCH', '/v1/tenant', { key, body: { name: 'Other' }, headers: whatever });
  t.match(answer, { status: 403, body: { code: 'forbidden', scope: 'tenant:update' } });
  t.equal((await service.inject('GET', '/v1/tenant', { key })).status, 200);
});

t.test('a key that would have expired already is refused, naming the field', async (t) => {
  const service = await startService(t);
  const now = service.clock.now().getTime();
  const before = (await service.inject('GET', '/v1/api-keys')).body.items.length;
  for (const past of [now, now - 1, now - 86_400_000]) {
    const expiresAt = new Date(past).toISOString();
    t.match(
      await makeKey(service, { scopes: ['templates:read'], expiresAt }),
      { status: 422, body: { code: 'unprocessable', errors: [{ pointer: '/expiresAt', code: 'in_past' }] } },
      expiresAt,
    );
  }
  // The same instant as the clock's, written in another zone.
  const zoned = await makeKey(service, { scopes: ['templates:read'], expiresAt: '2026-11-22T10:00:00+01:00' });
  t.match(zoned, { status: 422, body: { errors: [{ pointer: '/expiresAt' }] } });
  t.equal((await service.inject('GET', '/v1/api-keys')).body.items.length, before, 'no key was made');
  for (const expiresAt of [new Date(now + 1).toISOString(), null]) {
    t.match(await makeKey(service, { scopes: ['templates:read'], expiresAt }), { status: 201, body: { expiresAt } });
  }
});

t.test('a key lives until its last millisecond, and is as good as unknown from then on', async (t) => {
  const service = await startService(t);
  const { inject, clock } = service;
  const expiresAt = new Date(clock.now().getTime() + 3_600_000).toISOString();
  for (const kind of ['live', 'test']) {
    const key = await keyWith(service, ['templates:read', 'api-keys:create'], { kind, expiresAt });
    const use = () => inject('GET', '/v1/templates', { key });
    clock.set(new Date(Date.parse(expiresAt) - 1));
    t.equal((await use()).status, 200, `${kind}, a millisecond before`);
    clock.set(expiresAt);
    const expired = await use();
    t.match(expired, { status: 401, headers: { 'www-authenticate': 'Bearer' }, body: { code: 'unauthenticated' } });
    const unknown = await inject('GET', '/v1/templates', { key: `${kind}_unknown` });
    t.same(expired.body, unknown.body, 'nothing tells it from a key that never was');
    const successor = await makeKey(service, { kind, scopes: ['templates:read'] }, { key });
    t.equal(successor.status, 401, 'it makes no successor either');
    clock.set('2026-11-22T09:00:00Z');
  }
});

t.test('loosening the validation of a template needs messages:validate, tightening it does not', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const office = await keyWith(service, ['templates:create', 'templates:update']);
  const chief = await keyWith(service, ['templates:create', 'templates:update', 'messages:validate']);
  const lacking = { status: 403, body: { code: 'forbidden', scope: 'messages:validate' } };
  const create = (key: string, name: string, more: object) =>
    inject('POST', '/v1/templates', { key, body: { key: name, title: name, channel: 'mail', ...more } });
  t.match(await create(office, 'a', { validation: 'automatic' }), lacking);
  t.match(await create(office, 'b', {}), { status: 201, body: { validation: null } });
  t.match(await create(office, 'c', { validation: null }), { status: 201, body: { validation: null } });
  t.match(await create(office, 'd', { validation: 'manual' }), { status: 201, body: { validation: 'manual' } });
  const made = await create(chief, 'a', { validation: 'automatic' });
  t.match(made, { status: 201, body: { validation: 'automatic' } }, 'the refused one was not kept');

  const path = `/v1/templates/${made.body.id}`;
  const patch = (key: string, body: object) => inject('PATCH', path, { key, body, headers: whatever });
  const moves: [from: string | null, to: string | null, loosens: boolean][] = [
    ['manual', 'automatic', true],
    ['manual', null, true],
    [null, 'automatic', true],
    [null, 'manual', false],
    ['automatic', 'manual', false],
    ['automatic', null, false],
    ['manual', 'manual', false],
    [null, null, false],
  ];
  for (const [from, to, loosens] of moves) {
    const name = `${from} → ${to}`;
    await done(patch(chief, { validation: from }));
    const answer = await patch(office, { validation: to, title: name });
    t.match(answer, loosens ? lacking : { status: 200, body: { validation: to, title: name } }, name);
    const kept = (await inject('GET', path)).body;
    t.equal(kept.validation, loosens ? from : to, `${name} is ${loosens ? 'not ' : ''}kept`);
    if (loosens) t.not(kept.title, name, 'nor anything else of it');
    t.match(await patch(chief, { validation: to }), { status: 200, body: { validation: to } }, `${name} by who may`);
  }
  await done(patch(chief, { validation: 'manual' }));
  t.match(await patch(office, { title: 'Renamed' }), { status: 200, body: { validation: 'manual', title: 'Renamed' } });
});

t.test(
  'a test key changes nothing that live messages use: senders, published texts, people and their choices',
  async (t) => {
    const service = await startService(t);
    const { inject, tenant } = service;
    const make = (path: string, body: object) => done(inject('POST', path, { body }));
    const sender = await make('/v1/senders', { key: 'office', fromAddress: 'office@broker.test' });
    const template = await make('/v1/templates', { key: 'notice', title: 'Notice', channel: 'mail' });
    const type = await make('/v1/notification-types', { key: 'ae', title: 'AE', defaultChoice: 'on' });
    const suppression = await make('/v1/suppressions', { address: 'bob@people.test', cause: 'manual' });
    const fields = { type: 'object', properties: { nom: { type: 'string' } } };
    const list = await make('/v1/field-lists', { key: 'person', title: 'Person', fields });
    const source = await make('/v1/data-sources', {
      key: 'base',
      title: 'Base',
      kind: 'http',
      settings: { url: 'https://x.test' },
    });
    const asking = { title: 'X', dataSource: 'base', query: 'x?ids={keys}', keyColumn: 'id', fields };
    const extraction = await make('/v1/extractions', { key: 'person', ...asking });
    const person = { addresses: [{ kind: 'mail', value: 'ann@people.test' }] };
    const versions = `/v1/templates/${template.id}/versions`;
    const texts = { subject: 's', text: 't', html: '<p>h</p>' };
    for (const [method, path, body] of [
      ['POST', '/v1/senders', { key: 'other', fromAddress: 'other@broker.test' }],
      ['PATCH', `/v1/senders/${sender.id}`, { replyTo: 'other@broker.test' }],
      ['PATCH', `/v1/templates/${template.id}`, { active: false }],
      ['POST', versions, texts],
      ['POST', '/v1/field-lists', { key: 'other', title: 'Other', fields }],
      ['PATCH', `/v1/field-lists/${list.id}`, { pages: ['file'] }],
      ['POST', '/v1/data-sources', { key: 'other', title: 'X', kind: 'http', settings: { url: 'https://y.test' } }],
      ['PATCH', `/v1/data-sources/${source.id}`, { maximumRows: 1 }],
      ['POST', `/v1/data-sources/${source.id}/test`, {}],
      ['POST', '/v1/extractions', { key: 'other', ...asking }],
      ['PATCH', `/v1/extractions/${extraction.id}`, { pages: ['file'] }],
      ['POST', `/v1/extractions/${extraction.id}/run`, { keys: ['1'] }],
      ['POST', '/v1/notification-types', { key: 'other', title: 'Other', defaultChoice: 'on' }],
      ['PATCH', `/v1/notification-types/${type.id}`, { active: false }],
      ['POST', '/v1/suppressions', { address: 'ann@people.test', cause: 'manual' }],
      ['PATCH', `/v1/suppressions/${suppression.id}`, { note: 'x' }],
      ['POST', '/v1/recipient-types', { key: 'other', title: 'Other' }],
      ['POST', '/v1/recipients', { type: 'client', externalId: 'C-1', ...person }],
      ['PUT', '/v1/recipients/external:client:C-1', person],
      ['PUT', '/v1/recipients/external:client:C-1/consents', { consents: [] }],
      ['PUT', '/v1/recipients/external:client:C-1/choices', { choices: [] }],
    ] as const) {
      const answer = await inject(method, path, { key: tenant.testKey, body, headers: { 'if-match': '*' } });
      t.match(answer, { status: 403, body: { code: 'forbidden' } }, `${method} ${path}`);
    }
    const lifted = await inject('DELETE', `/v1/suppressions/${suppression.id}`, { key: tenant.testKey });
    t.match(lifted, { status: 403, body: { code: 'forbidden' } });
    for (const path of ['/v1/recipients/import', '/v1/suppressions/import']) {
      const file = { payload: 'type;externalId\n', headers: { 'content-type': 'text/csv' } };
      const refused = await inject('POST', path, { key: tenant.testKey, ...file });
      t.match(refused, { status: 403, body: { code: 'forbidden' } }, path);
    }
    const read = await inject('GET', '/v1/suppressions', { key: tenant.testKey });
    t.match(
      read,
      { status: 200, body: { items: [{ id: suppression.id }] } },
      'it reads what holds for its messages too',
    );
  },
);
