import t from 'tap';
import { findRecipients } from '../../src/recipients/lookup.ts';
import { startService } from '../support/service.ts';

const helene = {
  type: 'client',
  externalId: 'C/42: é',
  displayName: 'Hélène L’Hôte',
  attributes: { z: 1, a: { titre: 'Madame' } },
  addresses: [
    { kind: 'mail', value: 'Helene@Été.example', role: 'personal' },
    { kind: 'mail', value: 'h.lhote@travail.example', preferred: true },
    { kind: 'mobile', value: '06 12 34 56 78' },
    { kind: 'postal', value: '3 rue de l’Église\n44000 Nantes', acceptsContact: false },
  ],
};
const external = `/v1/recipients/${encodeURIComponent(`external:client:${helene.externalId}`)}`;

t.test('a recipient is created and found by id, external reference and any of the addresses', async (t) => {
  const { inject } = await startService(t);
  const created = await inject('POST', '/v1/recipients', { body: helene });
  t.equal(created.status, 201);
  t.match(created.body, {
    displayName: helene.displayName,
    locale: null,
    addresses: [{ value: 'Helene@xn--t-9fab.example' }],
  });

  const { id } = created.body;
  t.same((await inject('GET', `/v1/recipients/${id}`)).body, created.body);
  t.same((await inject('GET', `/v1/recipients/${id.toUpperCase()}`)).body, created.body);
  t.same((await inject('GET', external)).body, created.body);
  for (const address of ['HELENE@été.example', '0612345678', helene.addresses[3]?.value ?? '']) {
    const found = await inject('GET', `/v1/recipients?address=${encodeURIComponent(address)}`);
    t.match(found.body, { items: [{ id }] }, address);
  }
  t.same((await inject('GET', '/v1/recipients?address=autre%40travail.example')).body.items, []);
  t.match(
    (await inject('GET', `/v1/recipients?type=client&externalId=${encodeURIComponent(helene.externalId)}`)).body,
    {
      items: [{ id }],
    },
  );
  t.match(await inject('POST', '/v1/recipients', { body: helene }), { status: 409, body: { code: 'conflict' } });
});

t.test('PUT by external reference creates, then replaces; what is absent is emptied', async (t) => {
  const { inject } = await startService(t);
  const { type: _type, externalId: _externalId, ...content } = helene;
  const created = await inject('PUT', external, { body: content });
  t.match(created, { status: 201, body: { type: 'client', externalId: helene.externalId } });
  t.equal(created.headers.location, `/v1/recipients/${created.body.id}`);
  const replaced = await inject('PUT', external, { body: { displayName: 'H. L’Hôte' } });
  t.match(replaced, { status: 200, body: { id: created.body.id, addresses: [], attributes: {} } });
  const stale = { body: content, headers: { 'if-match': String(created.headers.etag) } };
  t.equal((await inject('PUT', external, stale)).status, 412, 'If-Match is honoured');
  const absent = '/v1/recipients/external:client:absent';
  t.equal((await inject('PUT', absent, { body: {}, headers: { 'if-match': '*' } })).status, 412);
  t.equal((await inject('PUT', '/v1/recipients/019c0000-0000-7000-8000-000000000000', { body: {} })).status, 404);
  t.match(await inject('PUT', absent, { body: { externalId: 'other' } }), {
    status: 422,
    body: { errors: [{ pointer: '/externalId', code: 'reference_mismatch' }] },
  });
});

t.test('twenty PUT at once make one recipient', async (t) => {
  const { inject } = await startService(t);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => inject('PUT', external, { body: { displayName: `n° ${index}` } })),
  );
  t.same(answers.map(({ status }) => status).sort(), [...Array(19).fill(200), 201]);
  t.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
});

t.test('PATCH changes what is given, with If-Match; DELETE removes', async (t) => {
  const { inject } = await startService(t);
  const created = await inject('POST', '/v1/recipients', { body: helene });
  t.equal((await inject('PATCH', external, { body: { locale: 'fr-FR' } })).status, 428);
  const headers = { 'if-match': String((await inject('GET', external)).headers.etag) };
  const changed = await inject('PATCH', external, { body: { locale: 'fr-FR' }, headers });
  t.match(changed, { status: 200, body: { locale: 'fr-FR', addresses: created.body.addresses } });
  await inject('PUT', '/v1/recipients/external:client:taken', { body: {} });
  t.match(await inject('PATCH', external, { body: { externalId: 'taken' }, headers: { 'if-match': '*' } }), {
    status: 409,
    body: { code: 'conflict' },
  });
  t.equal((await inject('DELETE', external)).status, 204);
  t.equal((await inject('GET', `/v1/recipients/${created.body.id}`)).status, 404);
  t.equal((await inject('DELETE', external)).status, 404);
});

t.test('bad input gets a clear answer', async (t) => {
  const { inject } = await startService(t);
  const post = (change: object) => inject('POST', '/v1/recipients', { body: { ...helene, ...change } });
  const bad = [
    '"a b"@c.example',
    'a@[127.0.0.1]',
    'a@b.example, c@d.example',
    `${'x'.repeat(65)}@b.example`,
    'Nom <a@b.example>',
  ];
  t.match(await post({ addresses: bad.map((value) => ({ kind: 'mail', value })) }), {
    status: 422,
    body: { errors: bad.map((_, index) => ({ pointer: `/addresses/${index}/value`, code: 'address_invalid' })) },
  });
  const preferred = ['a@b.example', 'c@d.example'].map((value) => ({ kind: 'mail', value, preferred: true }));
  t.match(await post({ addresses: preferred }), {
    status: 422,
    body: { errors: [{ pointer: '/addresses/1/preferred', code: 'preferred_twice' }] },
  });
  t.match(await post({ attributes: { text: 'x'.repeat(33_000) } }), {
    status: 422,
    body: { errors: [{ pointer: '/attributes', code: 'too_large' }] },
  });
  t.equal((await post({ householdOf: 'x' })).status, 400);
  t.equal((await post({ type: 'a:b' })).status, 400);
  t.equal((await post({ displayName: 'a\r\nb' })).status, 400);
  for (const id of [
    'nobody',
    'external:client',
    'external::x',
    'external:a:%00',
    '%ff',
    'external:a:%0d%0a',
    'x'.repeat(450),
  ]) {
    const { status } = await inject('GET', `/v1/recipients/${id}`);
    t.ok(status === 400 || status === 404, `${id.slice(0, 30)}: ${status}`);
  }
  for (const query of ['address=%00', 'type=a%3Ab', 'cursor=x', 'limit=0', 'externalId=']) {
    t.equal((await inject('GET', `/v1/recipients?${query}`)).status, 400, query);
  }
});

t.test('10,000 references are looked up at once', async (t) => {
  const { inject, runtime, tenant } = await startService(t);
  const { id } = (await inject('POST', '/v1/recipients', { body: helene })).body;
  const references = Array.from({ length: 10_000 }, (_, index) => `external:client:none-${index}`);
  const wanted = [`external:client:${helene.externalId}`, id, 'nonsense', 'external:client:a\u0000'];
  const found = await findRecipients(runtime.db, tenant.id, [...references, ...wanted]);
  t.same([...found.keys()], wanted.slice(0, 2));
  const person = found.get(id);
  t.ok(person);
  if (person === undefined) return;
  t.equal(person.displayName, helene.displayName);
});
