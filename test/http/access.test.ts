import t from 'tap';
import { type Answer, platformKey, startService, type TestService } from '../support/service.ts';

const nowhere = '019c0000-0000-7000-8000-000000000000';

/** Makes a key of the tenant. */
async function addKey(
  service: TestService,
  scopes: string[],
  extra: object = {},
): Promise<{ id: string; secret: string }> {
  const body = { name: 'Winpass', kind: 'live', scopes, ...extra };
  const answer = await service.inject('POST', '/v1/api-keys', { body });
  if (answer.status !== 201) throw new Error(`api key: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

t.test('the platform key, and no other, makes and changes organisations', async (t) => {
  const { inject, tenant } = await startService(t);
  const body = { name: 'Mutuelle Aubépine', timezone: 'Europe/Brussels', defaultValidation: 'automatic' };
  for (const key of [null, tenant.key, `${platformKey}x`, platformKey.slice(1)]) {
    const refused = await inject('POST', '/v1/tenants', { key, body });
    t.match(refused, { status: 401, headers: { 'www-authenticate': 'Bearer' }, body: { code: 'unauthenticated' } });
  }
  const headers = { 'idempotency-key': 'tenant-1' };
  const made = await inject('POST', '/v1/tenants', { key: platformKey, body, headers });
  t.match(made, {
    status: 201,
    body: { tenant: { ...body, locale: 'fr-FR' }, key: { kind: 'live', scopes: ['admin'], secret: /^live_/ } },
  });
  const { id } = made.body.tenant;
  t.equal(made.headers.location, `/v1/tenants/${id}`);
  const again = await inject('POST', '/v1/tenants', { key: platformKey, body, headers });
  t.match(again, { status: 201, headers: { 'idempotency-replayed': 'true' }, body: { tenant: { id } } });
  t.notOk('secret' in again.body.key, 'the secret is not shown twice');

  const own = await inject('GET', '/v1/tenant', { key: made.body.key.secret });
  t.match(own, { status: 200, body: { id, name: 'Mutuelle Aubépine' } });
  t.equal((await inject('GET', '/v1/tenant', { key: platformKey })).status, 401, 'it opens no organisation');
  const list = await inject('GET', '/v1/tenants?limit=1', { key: platformKey });
  t.match(list.body, { items: [{ id }], nextCursor: String });
  const next = await inject('GET', `/v1/tenants?limit=1&cursor=${list.body.nextCursor}`, { key: platformKey });
  t.match(next.body, { items: [{ id: tenant.id }], nextCursor: null });
  t.equal((await inject('GET', `/v1/tenants/${nowhere}`, { key: platformKey })).status, 404);
  const changed = await inject('PATCH', `/v1/tenants/${id}`, {
    key: platformKey,
    body: { name: 'Mutuelle' },
    headers: { 'if-match': String(own.headers.etag) },
  });
  t.match(changed, { status: 200, body: { name: 'Mutuelle', timezone: 'Europe/Brussels' } });
});

t.test('what makes no sense for an organisation is refused by name', async (t) => {
  const { inject } = await startService(t);
  const post = (body: object) => inject('POST', '/v1/tenants', { key: platformKey, body });
  t.match(await post({ name: 'A', timezone: 'Europe/Nantes' }), {
    status: 422,
    body: { errors: [{ pointer: '/timezone', code: 'timezone_unknown' }] },
  });
  t.match(await post({ name: 'A', testRedirect: 'a@b.example, c@d.example' }), {
    status: 422,
    body: { errors: [{ pointer: '/testRedirect', code: 'address_invalid' }] },
  });
  t.match(await post({ name: 'A', defaultValidation: 'never', colour: 'red' }), {
    status: 400,
    body: { code: 'invalid_body', errors: [{ code: 'unknown_field' }, { code: 'not_allowed' }] },
  });
  t.match(await post({ name: 'A\nB' }), { status: 400, body: { errors: [{ pointer: '/name' }] } });
  t.equal((await inject('GET', '/v1/tenants', { key: platformKey })).body.items.length, 1, 'nothing was kept');
});

t.test('own settings are changed with the ETag that was read: 428 without, 412 when it is old', async (t) => {
  const { inject } = await startService(t);
  const read = await inject('GET', '/v1/tenant');
  const body = { documentMaxBytes: 1_000_000 };
  const patch = (headers: Record<string, string>) => inject('PATCH', '/v1/tenant', { body, headers });
  t.match(await patch({}), { status: 428, body: { code: 'precondition_required' } });
  const headers = { 'if-match': String(read.headers.etag) };
  const changed = await patch(headers);
  t.match(changed, { status: 200, body });
  t.not(changed.headers.etag, read.headers.etag);
  for (const stale of [String(read.headers.etag), 'W/"1"', 'x', '""']) {
    t.match(await patch({ 'if-match': stale }), { status: 412, body: { code: 'precondition_failed' } }, stale);
  }
  t.equal((await patch({ 'if-match': '*' })).status, 200, 'a star takes whatever is there');
  t.match(await inject('PATCH', '/v1/tenant', { body: {}, headers: { 'if-match': '*' } }), { status: 400 });
  const { secret: key } = (
    await inject('POST', '/v1/api-keys', {
      body: { name: 'Office', kind: 'live', scopes: ['tenant:update'] },
    })
  ).body;
  const automatic = { key, body: { defaultValidation: 'automatic' }, headers: { 'if-match': '*' } };
  t.match(await inject('PATCH', '/v1/tenant', automatic), { status: 403, body: { scope: 'messages:validate' } });
});

t.test('a key does what its scopes say, and nothing else', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  // Asked with too little: the body is never looked at.
  const routes: [string, string, string][] = [
    ['GET', '/v1/tenant', 'tenant:read'],
    ['PATCH', '/v1/tenant', 'tenant:update'],
    ['POST', '/v1/api-keys', 'api-keys:create'],
    ['GET', '/v1/api-keys', 'api-keys:read'],
    ['DELETE', `/v1/api-keys/${nowhere}`, 'api-keys:update'],
    ['GET', '/v1/audit-entries', 'audit-entries:read'],
    ['POST', '/v1/templates', 'templates:create'],
    ['DELETE', `/v1/templates/${nowhere}`, 'templates:update'],
    ['POST', `/v1/templates/${nowhere}/versions/1/publish`, 'templates:update'],
    ['POST', `/v1/templates/${nowhere}/preview`, 'templates:read'],
    ['POST', '/v1/senders', 'senders:create'],
    ['POST', '/v1/documents', 'documents:create'],
    ['GET', `/v1/documents/${nowhere}/content`, 'documents:read'],
    ['PUT', '/v1/recipients/external:client:C-1', 'recipients:update'],
    ['PUT', '/v1/recipients/external:client:C-1/choices', 'choices:update'],
    ['POST', '/v1/notification-types', 'notification-types:create'],
    ['POST', '/v1/suppressions/import', 'suppressions:create'],
    ['POST', '/v1/send-requests', 'send:single'],
    ['POST', `/v1/send-requests/${nowhere}/confirm`, 'send:single'],
    ['POST', `/v1/send-requests/${nowhere}/cancel`, 'send-requests:update'],
    ['GET', '/v1/messages', 'messages:read'],
    ['PATCH', `/v1/messages/${nowhere}`, 'messages:update'],
    ['POST', '/v1/messages/validate', 'messages:validate'],
    ['POST', `/v1/messages/${nowhere}/resolve`, 'messages:validate'],
    ['GET', `/v1/operations/${nowhere}`, 'operations:read'],
    ['POST', '/v1/exports', 'exports:create'],
    ['GET', `/v1/exports/${nowhere}/content`, 'exports:read'],
    ['POST', '/v1/channel-accounts', 'channel-accounts:create'],
    ['POST', `/v1/channel-accounts/${nowhere}/pause`, 'channel-accounts:update'],
    ['GET', '/v1/events', 'events:read'],
  ];
  const { secret: other } = await addKey(service, ['senders:read']);
  for (const [method, path, scope] of routes) {
    const refused = await inject(method, path, { key: other });
    t.match(refused, { status: 403, body: { code: 'forbidden', scope } }, `${method} ${path} without`);
    const { secret: key } = await addKey(service, [scope]);
    const allowed = await inject(method, path, { key });
    t.not(allowed.status, 403, `${method} ${path} with ${scope}: ${JSON.stringify(allowed.body)}`);
  }
});

t.test('send:single is enough for one message, more need send:bulk', async (t) => {
  const service = await startService(t);
  const { secret: single } = await addKey(service, ['send:single']);
  const { secret: bulk } = await addKey(service, ['send:bulk']);
  const row = { to: { address: 'anna@courriel.example' } };
  const ask = (key: string, body: object) =>
    service.inject('POST', '/v1/send-requests', { key, body, headers: { 'idempotency-key': 'one' } });
  const two = { status: 403, body: { scope: 'send:bulk' } };
  t.match(await ask(single, { template: 'avis', recipients: [row, row] }), two);
  t.match(await ask(single, { templates: ['avis', 'relance'], recipients: [row] }), two);
  const unknown = { status: 422, body: { errors: [{ code: 'template_unknown' }] } };
  t.match(await ask(single, { template: 'avis', recipients: [row] }), unknown);
  t.match(await ask(bulk, { template: 'avis', recipients: [row] }), unknown);
  t.match(await ask(bulk, { template: 'avis', recipients: [row, row] }), unknown);
});

t.test('a key gives no right that it has not, and a test key makes no live one', async (t) => {
  const service = await startService(t);
  const { inject, tenant } = service;
  const { secret: key } = await addKey(service, ['api-keys:create', 'templates:read']);
  const make = (key: string, body: object) => inject('POST', '/v1/api-keys', { key, body: { name: 'K', ...body } });
  for (const scopes of [['admin'], ['templates:read', 'messages:validate']]) {
    t.match(await make(key, { kind: 'live', scopes }), { status: 403, body: { code: 'forbidden' } }, scopes.join());
  }
  t.match(await make(key, { kind: 'live', scopes: ['templates:read'] }), { status: 201 });
  t.match(await make(tenant.testKey, { kind: 'live', scopes: ['templates:read'] }), { status: 403 });
  t.match(await make(tenant.testKey, { kind: 'test', scopes: ['templates:read'] }), {
    status: 201,
    body: { secret: /^test_/ },
  });
  for (const body of [
    { kind: 'live', scopes: [] },
    { kind: 'live', scopes: ['everything'] },
    { kind: 'root', scopes: ['admin'] },
  ]) {
    t.match(await make(tenant.key, body), { status: 400, body: { code: 'invalid_body' } }, JSON.stringify(body));
  }
});

t.test('a secret is shown once; keys are listed without it, with their last use', async (t) => {
  const service = await startService(t);
  const { inject, clock } = service;
  const headers = { 'idempotency-key': 'key-1' };
  const body = { name: 'Winpass', kind: 'live', scopes: ['templates:read'], unit: 'Nantes' };
  const made = await inject('POST', '/v1/api-keys', { body, headers });
  t.match(made, { status: 201, body: { ...body, lastUsedAt: null, revokedAt: null, expiresAt: null } });
  const { secret } = made.body;
  const replayed = await inject('POST', '/v1/api-keys', { body, headers });
  t.match(replayed, { status: 201, body: { id: made.body.id } });
  t.notOk('secret' in replayed.body);
  t.equal((await inject('GET', '/v1/templates', { key: secret })).status, 200);
  const list = await inject('GET', '/v1/api-keys');
  t.match(list.body.items[0], { id: made.body.id, name: 'Winpass', lastUsedAt: clock.now().toISOString() });
  const shown = JSON.stringify([replayed.body, list.body]);
  t.notMatch(shown, secret);
  t.notMatch(shown, /secretHash|publicPart/);
  const kept = await service.runtime.db.execute('select to_jsonb(k)::text as row from api_keys k');
  t.notMatch(JSON.stringify(kept), secret.slice('live_'.length + 19), 'the database has its hash only');
});

t.test('two keys are active at once; expiry and revocation end one at once', async (t) => {
  const service = await startService(t);
  const { inject, clock } = service;
  const expiresAt = '2026-11-22T10:00:00Z';
  const old = await addKey(service, ['templates:read'], { expiresAt });
  const fresh = await addKey(service, ['templates:read']);
  const use = async (key: string) => (await inject('GET', '/v1/templates', { key })).status;
  t.same([await use(old.secret), await use(fresh.secret)], [200, 200]);
  clock.set(expiresAt);
  t.same([await use(old.secret), await use(fresh.secret)], [401, 200]);
  t.equal((await inject('DELETE', `/v1/api-keys/${fresh.id}`)).status, 204);
  t.equal(await use(fresh.secret), 401);
  t.equal((await inject('DELETE', `/v1/api-keys/${fresh.id}`)).status, 204, 'twice is not an error');
  const other = await service.addTenant('Autre');
  t.equal((await inject('DELETE', `/v1/api-keys/${old.id}`, { key: other.key })).status, 404);
  const wrong = [
    old.secret.replace('live_', 'test_'),
    `${fresh.secret.slice(0, -1)}!`,
    'live_',
    'x',
    `${fresh.secret}x`,
  ];
  const answers: Answer[] = [];
  for (const key of [...wrong, old.secret, fresh.secret]) answers.push(await inject('GET', '/v1/templates', { key }));
  for (const answer of answers)
    t.same([answer.status, answer.body], [401, answers[0]?.body], 'one and the same answer');
  const basic = await inject('GET', '/v1/templates', { key: null, headers: { authorization: 'Basic eDp5' } });
  t.equal(basic.status, 401);
});

t.test('changes leave audit entries: who, for whom, which fields, never a value', async (t) => {
  const service = await startService(t);
  const { inject, tenant } = service;
  const behalf = { 'if-match': '*', 'on-behalf-of': Buffer.from('mmartin é', 'utf8').toString('latin1') };
  await inject('PATCH', '/v1/tenant', { body: { testRedirect: 'recette@courtage.example' }, headers: behalf });
  const key = await addKey(service, ['templates:read']);
  await inject('DELETE', `/v1/api-keys/${key.id}`);
  const { items } = (await inject('GET', '/v1/audit-entries?limit=3')).body;
  t.match(items, [
    { action: 'deleted', resourceType: 'api-key', resourceId: key.id, actorUser: null },
    { action: 'created', resourceType: 'api-key', resourceId: key.id, actorKeyId: String },
    {
      action: 'updated',
      resourceType: 'tenant',
      resourceId: tenant.id,
      fields: ['testRedirect'],
      actorUser: 'mmartin é',
    },
  ]);
  t.notMatch(JSON.stringify(items), /recette@/);
  const filtered = await inject('GET', `/v1/audit-entries?resourceType=api-key&resourceId=${key.id}`);
  t.equal(filtered.body.items.length, 2);
  const other = await service.addTenant('Autre');
  t.same((await inject('GET', `/v1/audit-entries?resourceId=${key.id}`, { key: other.key })).body.items, []);
  const badUser = await inject('GET', '/v1/tenant', { headers: { 'on-behalf-of': 'x'.repeat(201) } });
  t.match(badUser, { status: 400, body: { code: 'invalid_header' } });
});

t.test('a key that asks too often is told to wait, and for how long', async (t) => {
  const service = await startService(t, { config: { requestsPerMinute: 3 } });
  const { inject, tenant } = service;
  const first = await inject('GET', '/v1/tenant');
  t.match(first, {
    status: 200,
    headers: { 'ratelimit-limit': '3', 'ratelimit-remaining': '2', 'ratelimit-reset': /^\d+$/ },
  });
  for (let turn = 0; turn < 2; turn += 1) t.equal((await inject('GET', '/v1/tenant')).status, 200);
  const refused = await inject('GET', '/v1/tenant');
  t.match(refused, {
    status: 429,
    headers: { 'retry-after': /^\d+$/, 'ratelimit-remaining': '0', 'content-type': /^application\/problem\+json/ },
    body: { code: 'too_many_requests', status: 429 },
  });
  t.ok(Number(refused.headers['retry-after']) <= 60);
  t.equal((await inject('GET', '/v1/tenant', { key: tenant.testKey })).status, 200, 'another key is not held up');
  const french = await inject('GET', '/v1/tenant', { headers: { 'accept-language': 'fr-FR,en;q=0.5' } });
  t.match(french, { status: 429, body: { title: 'Trop de requêtes.' } });
});
