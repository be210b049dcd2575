import { randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import t from 'tap';
import { createAddressHashes } from '../../src/suppressions/address-hashes.ts';
import { createSecrets } from '../../src/tenants/secrets.ts';
import { done } from '../support/broker.ts';
import { startService, type TestService } from '../support/service.ts';

const suppressions = '/v1/suppressions';

/** Suppresses an address; whatever the answer. */
const suppress = ({ inject }: TestService, address: string, more: object = {}, headers: Record<string, string> = {}) =>
  inject('POST', suppressions, { body: { address, cause: 'bounce', ...more }, headers });

t.test('a suppression is made, read, changed under If-Match, and lifted', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const made = await suppress(service, 'Hélène.Lefèvre@courrier.example');
  t.match(made, { status: 422 }, 'letters that no address has');
  const since = '2026-03-02T07:00:00.000Z';
  const first = await suppress(service, 'Helene.LEFEVRE@Courrier.example', { since, note: 'Fiche client' });
  const shown = { channel: 'mail', address: 'helene.lefevre@courrier.example', cause: 'bounce', since };
  t.match(first, { status: 201, body: { ...shown, note: 'Fiche client', blocked: 0, beingSent: 0 } });
  const path = `${suppressions}/${first.body.id}`;
  t.equal(first.headers.location, path);
  const read = await inject('GET', path);
  t.match(read, { status: 200, body: shown });
  t.strictSame(Object.keys(read.body).sort(), [
    ...['address', 'cause', 'channel', 'createdAt', 'id', 'note', 'since', 'updatedAt'],
  ]);
  t.equal(read.headers.etag, first.headers.etag);

  const ask = { body: { cause: 'complaint', note: null }, headers: { 'if-match': String(read.headers.etag) } };
  t.equal((await inject('PATCH', path, { body: ask.body })).status, 428);
  t.match(await inject('PATCH', path, ask), { status: 200, body: { ...shown, cause: 'complaint', note: null } });
  t.equal((await inject('PATCH', path, ask)).status, 412);
  const moved = { body: { address: 'other@courrier.example' }, headers: { 'if-match': '*' } };
  t.match(await inject('PATCH', path, moved), { status: 400, body: { errors: [{ code: 'unknown_field' }] } });

  t.equal((await inject('DELETE', path)).status, 204);
  for (const method of ['GET', 'DELETE']) t.equal((await inject(method, path)).status, 404, method);
  t.match((await inject('GET', `/v1/audit-entries?resourceType=suppression&resourceId=${first.body.id}`)).body, {
    items: [{ action: 'deleted' }, { action: 'updated', fields: ['cause', 'note'] }, { action: 'created' }],
  });
  t.equal((await suppress(service, 'helene.lefevre@courrier.example')).status, 201, 'it can be suppressed again');
});

t.test('what cannot be is refused, and told where', async (t) => {
  const service = await startService(t);
  const bad = ['no address', 'a@b', 'Ann <ann@people.test>', 'ann@people.test, bob@people.test', ' ann@people.test'];
  for (const address of bad) {
    const refused = { status: 422, body: { errors: [{ pointer: '/address', code: 'address_invalid' }] } };
    t.match(await suppress(service, address), refused, address);
  }
  t.match(await suppress(service, 'ann@people.test', { since: '2026-11-22T09:00:00.001Z' }), {
    status: 422,
    body: { errors: [{ pointer: '/since', code: 'in_future' }] },
  });
  for (const more of [{ cause: 'other' }, { channel: 'sms' }, { note: 'two\nlines' }, { other: 1 }]) {
    t.match(await suppress(service, 'ann@people.test', more), { status: 400, body: { code: 'invalid_body' } });
  }
  t.same((await service.inject('GET', suppressions)).body.items, [], 'nothing was kept');
  const kept = await done(suppress(service, 'ann@people.test'));
  t.match(
    await suppress(service, 'ANN@People.Test', { cause: 'manual' }),
    { status: 409, body: { code: 'conflict', suppression: kept.id, detail: new RegExp(kept.id) } },
    'the conflict names it',
  );
});

t.test('they are found by address in any spelling, by channel and by cause, and only by their tenant', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const found = async (query: string) =>
    (await done(inject('GET', `${suppressions}?${query}`))).items.map(({ address }: { address: string }) => address);
  t.same(await found('address=ann@people.test'), [], 'before there is any');
  for (const [address, cause] of [
    ['ann@people.test', 'bounce'],
    ['bob@bücher.test', 'manual'],
    ['cid@people.test', 'manual'],
  ] as const) {
    await done(suppress(service, address, { cause }));
  }
  t.same(await found(''), ['cid@people.test', 'bob@xn--bcher-kva.test', 'ann@people.test']);
  t.same(await found('cause=manual&channel=mail'), ['cid@people.test', 'bob@xn--bcher-kva.test']);
  for (const spelling of ['bob@bücher.test', 'BOB@BÜCHER.test', 'Bob@xn--bcher-kva.TEST']) {
    t.same(await found(`address=${encodeURIComponent(spelling)}`), ['bob@xn--bcher-kva.test'], spelling);
  }
  t.same(await found('address=bob@bücher.test&cause=bounce'), []);
  t.same(await found('address=nonsense'), []);
  t.equal((await inject('GET', `${suppressions}?channel=sms`)).status, 400);
  const { key } = await service.addTenant('Mutuelle Armor');
  t.same((await inject('GET', `${suppressions}?address=ann@people.test`, { key })).body.items, []);
  t.equal(
    (await inject('POST', suppressions, { key, body: { address: 'ann@people.test', cause: 'bounce' } })).status,
    201,
  );
  const hashes = await service.runtime.db.execute(sql`select address_hash from suppressions`);
  t.equal(new Set(hashes.map(({ address_hash: hash }) => hash)).size, 4, 'tenants share no hash');
});

t.test('twenty posts at once make one', async (t) => {
  const service = await startService(t);
  const spelling = (place: number) => (place % 2 === 0 ? 'ann@people.test' : 'Ann@PEOPLE.test');
  const answers = await Promise.all(Array.from({ length: 20 }, (_, place) => suppress(service, spelling(place))));
  const made = answers.filter(({ status }) => status === 201);
  t.equal(made.length, 1);
  t.equal(answers.filter(({ status }) => status === 409).length, 19);
  t.ok(answers.every(({ body }) => body.suppression === undefined || body.suppression === made[0]?.body.id));
  t.equal((await service.inject('GET', suppressions)).body.items.length, 1);

  const key = { 'idempotency-key': 'once' };
  const repeated = await Promise.all(Array.from({ length: 5 }, () => suppress(service, 'bob@people.test', {}, key)));
  t.ok(
    repeated.every(({ status, body }) => status === 201 && body.id === repeated[0]?.body.id && body.blocked === 0),
    'a repeat under its key is the same answer',
  );
});

t.test('events tell that it was made and lifted, never the address', async (t) => {
  const service = await startService(t);
  const { id } = await done(suppress(service, 'ann@people.test', { note: 'Appel du 3' }));
  await service.inject('DELETE', `${suppressions}/${id}`);
  await service.work();
  const { raw, body } = await service.inject('GET', '/v1/events');
  t.match(body.items, [
    {
      type: 'suppression.created',
      resourceId: id,
      data: { channel: 'mail', cause: 'bounce', blocked: 0, beingSent: 0 },
    },
    { type: 'suppression.lifted', resourceId: id, data: { channel: 'mail', cause: 'bounce' } },
  ]);
  t.equal(body.items.length, 2);
  for (const secret of ['people.test', 'Appel']) t.notOk(raw.includes(secret), secret);
});

t.test('the rights: reading, making and changing each have their own', async (t) => {
  const { inject } = await startService(t);
  const body = { address: 'ann@people.test', cause: 'manual' };
  const keyWith = async (scope: string) =>
    (await done(inject('POST', '/v1/api-keys', { body: { name: scope, kind: 'live', scopes: [scope] } }))).secret;
  const [reader, maker, changer] = await Promise.all(
    ['read', 'create', 'update'].map((verb) => keyWith(`suppressions:${verb}`)),
  );
  for (const key of [reader, changer]) t.equal((await inject('POST', suppressions, { key, body })).status, 403);
  const { id } = await done(inject('POST', suppressions, { key: maker, body }));
  for (const key of [maker, changer]) t.equal((await inject('GET', suppressions, { key })).status, 403);
  t.equal((await inject('GET', `${suppressions}/${id}`, { key: reader })).status, 200);
  for (const key of [reader, maker]) t.equal((await inject('DELETE', `${suppressions}/${id}`, { key })).status, 403);
  t.equal((await inject('DELETE', `${suppressions}/${id}`, { key: changer })).status, 204);
});

t.test('hashes outlive a change of SECRETS_KEY, and the key that sealed them once they are sealed anew', async (t) => {
  const { runtime, tenant } = await startService(t);
  const { db, clock } = runtime;
  const [older = '', newer = ''] = [randomBytes(32), randomBytes(32)].map((key) => key.toString('base64'));
  const withKeys = (keys: string[]) => createAddressHashes({ clock, secrets: createSecrets(keys) });
  const hashOf = (keys: string[]) => withKeys(keys).of(db, tenant.id, 'mail', ['ann@people.test']);
  t.equal(await hashOf([older]), null, 'nothing was ever suppressed');
  await Promise.all([1, 2, 3].map(() => withKeys([older]).prepare(db, tenant.id)));
  const [hash] = (await hashOf([older])) ?? [];
  t.match(hash, /^[\w-]{43}$/);
  t.same(await hashOf([newer, older]), [hash]);
  await t.rejects(hashOf([newer]), /not in SECRETS_KEY/, 'nothing leaves unchecked');
  await withKeys([newer, older]).prepare(db, tenant.id);
  t.same(await hashOf([newer]), [hash]);
});
