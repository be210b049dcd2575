import t from 'tap';
import type { AudienceFilter } from '../../src/recipients/audience/schema.ts';
import { startService, type TestService } from '../support/service.ts';

const people = [
  { externalId: 'C-1', locale: 'fr-FR', attributes: { agence: 'Nantes', 'code.insee': '44109', solde: 120.5 } },
  { externalId: 'C-2', locale: 'fr-CA', attributes: { agence: 'Angers', contrats: ['auto', 'santé'], solde: 0 } },
  { externalId: 'C-3', locale: null, attributes: { agence: null, adresse: { ville: 'Lyon' }, echeance: '2026-11-30' } },
  { externalId: 'C-4', locale: 'en-GB', attributes: { echeance: '2026-11-22T23:30:00+00:00' } },
];

async function fill({ inject }: TestService): Promise<void> {
  for (const person of people) {
    const { status } = await inject('POST', '/v1/recipients', { body: { type: 'client', ...person } });
    if (status !== 201) throw new Error(`${person.externalId}: ${status}`);
  }
}

const search = ({ inject }: TestService, filter: unknown, more: object = {}) =>
  inject('POST', '/v1/recipients/search', { body: { filter, ...more } });

t.test('a campaign finds its people by what is known of them', async (t) => {
  const service = await startService(t);
  await fill(service);
  // 23 November in Paris, at half past midnight.
  service.clock.set('2026-11-22T23:30:00Z');
  const asked: [AudienceFilter, string[]][] = [
    [{ attribute: { name: 'agence', is: ['Nantes', 'Angers'] } }, ['C-2', 'C-1']],
    [{ attribute: { name: 'contrats', contains: ['auto', 'moto'] } }, ['C-2']],
    [{ attribute: { name: 'adresse.ville', is: ['Lyon'] } }, ['C-3']],
    [{ attribute: { name: ['code.insee'], is: ['44109'] } }, ['C-1']],
    [{ attribute: { name: 'code.insee', exists: true } }, []],
    [{ attribute: { name: 'agence', exists: false } }, ['C-4', 'C-3']],
    [{ attribute: { name: 'agence', is: [null] } }, ['C-3']],
    [{ attribute: { name: 'solde', from: 0, to: 120.5 } }, ['C-2', 'C-1']],
    [{ attribute: { name: 'echeance', from: '2026-11-01', to: '2026-11-30' } }, ['C-4', 'C-3']],
    [{ attribute: { name: 'echeance', fromDays: 0, toDays: 0 } }, ['C-4']],
    [{ attribute: { name: 'echeance', fromDays: 1, toDays: 7 } }, ['C-3']],
    [{ attribute: { name: 'echeance', from: '2026-11-01', toDays: 6 } }, ['C-4']],
    [{ locale: ['fr'] }, ['C-2', 'C-1']],
    [{ locale: ['fr-FR', null] }, ['C-3', 'C-1']],
    [{ type: ['member'] }, []],
    [{ type: ['client'], not: { locale: ['fr'] } }, ['C-4', 'C-3']],
    [{ any: [{ locale: ['en'] }, { attribute: { name: 'agence', is: ['Nantes'] } }] }, ['C-4', 'C-1']],
    [{ all: [] }, ['C-4', 'C-3', 'C-2', 'C-1']],
    [{ inHouseholdOf: 'external:client:C-3' }, ['C-3']],
    [{ createdFrom: '2026-01-01T00:00:00Z', createdTo: '2026-02-01T00:00:00Z' }, []],
  ];
  for (const [filter, expected] of asked) {
    const { status, body } = await search(service, filter);
    t.equal(status, 200, JSON.stringify(body));
    const found = body.items.map(({ externalId }: { externalId: string }) => externalId);
    t.strictSame(found, expected, JSON.stringify(filter));
    const count = await service.inject('POST', '/v1/recipients/count', { body: { filter } });
    t.strictSame(count.body, { count: expected.length });
  }
});

t.test(
  'pages go on where they ended, also when somebody is added meanwhile; other organisations are not seen',
  async (t) => {
    const service = await startService(t);
    const { inject } = service;
    await fill(service);
    const other = await service.addTenant('Mutuelle Armor');
    await inject('POST', '/v1/recipients', { key: other.key, body: { type: 'client', externalId: 'X' } });
    const filter = { type: ['client'] };
    const first = await search(service, filter, { limit: 3 });
    t.equal(first.body.items.length, 3);
    await inject('POST', '/v1/recipients', { body: { type: 'client', externalId: 'C-5' } });
    const second = await search(service, filter, { limit: 3, cursor: first.body.nextCursor });
    t.match(second.body, { items: [{ externalId: 'C-1' }], nextCursor: null });
    t.match(first.body.items[0], { addresses: [], warnings: [] }, 'it is shown as everywhere else');
    t.same((await inject('GET', `/v1/recipients/${first.body.items[0].id}`)).body, first.body.items[0]);
    const listed = await inject('GET', '/v1/recipients?limit=1');
    const elsewhere = await search(service, filter, { cursor: listed.body.nextCursor });
    t.match(elsewhere, { status: 400, body: { code: 'invalid_cursor' } });
    const reader = await inject('POST', '/v1/api-keys', {
      body: { name: 'R', kind: 'live', scopes: ['templates:read'] },
    });
    for (const action of ['search', 'count']) {
      const body = { filter };
      t.equal(
        (await inject('POST', `/v1/recipients/${action}`, { key: reader.body.secret, body })).status,
        403,
        action,
      );
      t.equal((await inject('POST', `/v1/recipients/${action}`, { key: service.tenant.testKey, body })).status, 200);
    }
  },
);

t.test('somebody who is found is shown as everywhere else, with their addresses in their order', async (t) => {
  const service = await startService(t);
  const addresses = [
    { kind: 'mail', value: 'Ann.ROY@Example.org', role: 'accounting', acceptsContact: false },
    { kind: 'mobile', value: '06 12 34 56 78', preferred: true },
    { kind: 'mail', value: 'ann@example.org' },
  ];
  const body = { type: 'client', externalId: 'A', displayName: 'Ann', locale: 'fr', addresses };
  const { id } = (await service.inject('POST', '/v1/recipients', { body })).body;
  const asked: AudienceFilter[] = [{ type: ['client'] }, { inHouseholdOf: id }];
  for (const filter of asked) {
    const { body: page } = await search(service, filter);
    t.same(page.items, [(await service.inject('GET', `/v1/recipients/${id}`)).body]);
    t.match(page.items[0].addresses, [
      { value: 'Ann.ROY@example.org', role: 'accounting', preferred: false, acceptsContact: false },
      { kind: 'mobile', value: '06 12 34 56 78', role: null, preferred: true, acceptsContact: true },
      { value: 'ann@example.org' },
    ]);
  }
});

t.test('days begin where the organisation is, at this moment', async (t) => {
  const service = await startService(t);
  const other = await service.addTenant('Mutuelle Armor');
  const keys = [service.tenant.key, other.key];
  const zone = (key: string, timezone: string) =>
    service.inject('PATCH', '/v1/tenant', { key, headers: { 'if-match': '*' }, body: { timezone } });
  t.equal((await zone(other.key, 'Pacific/Auckland')).status, 200);
  const dates = { A: '2026-11-22', B: '2026-11-23', C: '2026-11-22T23:00:00+00:00' };
  for (const key of keys) {
    for (const [externalId, date] of Object.entries(dates)) {
      await service.inject('POST', '/v1/recipients', {
        key,
        body: { type: 'client', externalId, attributes: { date } },
      });
    }
  }
  // The 22nd in Paris, the 23rd in Auckland.
  service.clock.set('2026-11-22T12:00:00Z');
  const today = async (key: string) => {
    const filter = { attribute: { name: 'date', fromDays: 0, toDays: 0 } };
    const { body } = await service.inject('POST', '/v1/recipients/search', { key, body: { filter } });
    return body.items.map(({ externalId }: { externalId: string }) => externalId);
  };
  t.strictSame(
    await today(service.tenant.key),
    ['A'],
    'what is said in Greenwich late on the 22nd is the 23rd in Paris',
  );
  t.strictSame(await today(other.key), ['C', 'B']);
  await zone(service.tenant.key, 'Pacific/Auckland');
  t.strictSame(await today(service.tenant.key), ['C', 'B'], 'at once');
});

t.test('the last day that there is, and spans of every length, have both their ends', async (t) => {
  const service = await startService(t);
  const days = ['2026-01-01', '2027-02-05', '2027-02-06', '2999-12-31', '2999-12-31T12:00:00Z'];
  for (const [place, day] of days.entries()) {
    const body = { type: 'client', externalId: String(place), attributes: { day } };
    await service.inject('POST', '/v1/recipients', { body });
  }
  const between = async (bounds: object) => {
    const { body } = await search(service, { attribute: { name: 'day', ...bounds } });
    return body.items.map(({ externalId }: { externalId: string }) => days[Number(externalId)]).reverse();
  };
  t.strictSame(await between({ from: '2999-01-01', to: '2999-12-31' }), days.slice(3));
  t.strictSame(await between({ from: '2026-01-01', to: '2999-12-31' }), days);
  t.strictSame(await between({ to: '2999-12-31' }), days);
  // 400 days from the first to the last are written out, 401 are not.
  t.strictSame(await between({ from: '2026-01-01', to: '2027-02-05' }), days.slice(0, 2));
  t.strictSame(await between({ from: '2026-01-01', to: '2027-02-06' }), days.slice(0, 3));
});

const nested = (levels: number): object => (levels === 1 ? { all: [] } : { not: nested(levels - 1) });
const attribute = (test: object) => ({ attribute: { name: 'a', ...test } });
const wide = (count: number) => ({ any: Array.from({ length: count }, () => ({ all: [] })) });

/** Filters that are none, with what is told: status, pointer, code. */
const refused: [name: string, filter: unknown, status: number, pointer: string, code: string][] = [
  ['nothing at all', {}, 400, '/filter', 'too_few'],
  ['a text', 'all', 400, '/filter', 'wrong_type'],
  ['an unknown member', { name: 'x' }, 400, '/filter/name', 'unknown_field'],
  ['an unknown member inside', { all: [{ not: { x: 1 } }] }, 400, '/filter/all/0/not/x', 'unknown_field'],
  ['no choice', { any: [] }, 400, '/filter/any', 'too_few'],
  ['no types', { type: [] }, 400, '/filter/type', 'too_few'],
  ['a type that is none', { type: ["x' or 1=1"] }, 400, '/filter/type/0', 'wrong_format'],
  ['an attribute without a test', { attribute: { name: 'a' } }, 400, '/filter/attribute', 'too_few'],
  ['an attribute without a name', { attribute: { is: [1], exists: true } }, 400, '/filter/attribute/name', 'required'],
  ['an object as a value', attribute({ is: [{}] }), 400, '/filter/attribute/is/0', 'wrong_type'],
  ['a day that does not exist', attribute({ from: '2026-02-31' }), 400, '/filter/attribute/from', 'wrong_format'],
  ['an instant for a day', attribute({ to: '2026-02-01T00:00:00Z' }), 400, '/filter/attribute/to', 'wrong_format'],
  ['half a day', attribute({ fromDays: 0.5 }), 400, '/filter/attribute/fromDays', 'wrong_type'],
  [
    'a name with nothing between dots',
    { attribute: { name: 'a..b', exists: true } },
    422,
    '/filter/attribute/name',
    'wrong_format',
  ],
  [
    'a name of nine parts',
    { attribute: { name: 'a.b.c.d.e.f.g.h.i', exists: true } },
    422,
    '/filter/attribute/name',
    'too_deep',
  ],
  ['a range of two kinds', attribute({ from: 1, to: '2026-02-01' }), 422, '/filter/attribute/to', 'range_mixed'],
  ['a number beside days', attribute({ from: 1, toDays: 1 }), 422, '/filter/attribute/from', 'range_mixed'],
  [
    'a range from its end',
    { all: [attribute({ from: '2026-02-02', to: '2026-02-01' })] },
    422,
    '/filter/all/0/attribute/to',
    'range_reversed',
  ],
  ['days from their end', attribute({ fromDays: 1, toDays: 0 }), 422, '/filter/attribute/toDays', 'range_reversed'],
  [
    'a time from its end',
    { createdFrom: '2026-02-02T00:00:00Z', createdTo: '2026-02-01T00:00:00Z' },
    422,
    '/filter/createdTo',
    'range_reversed',
  ],
  ['a reference that is none', { inHouseholdOf: 'C-1' }, 400, '/filter/inHouseholdOf', 'wrong_format'],
  ['an unknown kind of address', { hasAddress: { kind: 'fax' } }, 400, '/filter/hasAddress/kind', 'not_allowed'],
  ['nine levels', nested(9), 422, '/filter/not/not/not/not/not/not/not/not', 'too_deep'],
  ['too many on one level', wide(101), 400, '/filter/any', 'too_many'],
  ['too many in all', { all: [wide(99), wide(99)] }, 422, '/filter/all/1/any/98', 'too_many'],
  [
    'too many values',
    attribute({ is: Array.from({ length: 501 }, (_, index) => index) }),
    400,
    '/filter/attribute/is',
    'too_many',
  ],
  [
    'too many values in all',
    { any: Array.from({ length: 5 }, () => attribute({ is: Array.from({ length: 401 }, (_, index) => index) })) },
    422,
    '/filter/any/4/attribute',
    'too_many',
  ],
];

t.test('a filter that is none is refused, with the place', async (t) => {
  const service = await startService(t);
  await fill(service);
  for (const [name, filter, status, pointer, code] of refused) {
    for (const action of ['search', 'count']) {
      const answer = await service.inject('POST', `/v1/recipients/${action}`, { body: { filter } });
      t.match(answer, { status, body: { errors: [{ pointer, code }] } }, `${action}: ${name}`);
    }
  }
  t.match(await service.inject('POST', '/v1/recipients/search', { body: {} }), {
    status: 400,
    body: { errors: [{ pointer: '/filter', code: 'required' }] },
  });
  t.equal((await search(service, nested(8))).status, 200, 'eight levels');
  t.equal((await search(service, { all: [wide(99), wide(98)] })).status, 200, 'two hundred in all');
  const values = Array.from({ length: 500 }, (_, index) => (index % 2 === 0 ? index : `"\\{${index},'`));
  t.equal((await search(service, attribute({ is: values, contains: values }))).status, 200, 'a thousand values');
  t.equal((await search(service, attribute({ fromDays: -100_000, toDays: 100_000 }))).status, 200, 'three centuries');
});
