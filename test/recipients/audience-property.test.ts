/** The SQL of audience filters against a plain reading of them: random filters over random people. */
import fc, { type Arbitrary } from 'fast-check';
import postgres from 'postgres';
import t from 'tap';
import type { AttributeTest, AttributeValue, AudienceFilter } from '../../src/recipients/audience/schema.ts';
import { fits, type Person } from '../support/audience-reading.ts';
import { startService, type TestService } from '../support/service.ts';

t.setTimeout(600_000);

const seed = 20261123;
const hostile = [
  "it's",
  'x"y',
  '\\',
  '{"a":1}',
  '}',
  ',',
  '%',
  "'; drop table recipients; --",
  '$1',
  'é',
  'e\u0301',
  '🙂',
];
const days = ['2026-10-24', '2026-10-25', '2026-10-26', '2026-03-28', '2026-03-29', '2026-03-30', '2024-02-29'];
const noDays = [
  '2026-02-31',
  '2023-02-29',
  '1900-02-29',
  '2026-13-01',
  '25/10/2026',
  '2026-10',
  '2026-10-25T25:00',
  '20261025',
];
const times = [
  '',
  'T00:00',
  ' 23:59:59',
  'T00:30:00+02:00',
  'T23:30:00Z',
  'T22:30:00.500Z',
  'T23:59:59-12:00',
  'T00:00:00+14:00',
  'T01:30+0100',
];
const dates = days.flatMap((day) => times.map((time) => `${day}${time}`));
const scalars: readonly AttributeValue[] = [
  0,
  1,
  2,
  -1,
  1.5,
  0.1,
  9007199254740991,
  1e-300,
  -1e-7,
  '',
  '1',
  'a',
  'b',
  true,
  false,
  null,
  ...hostile,
];
const names = ['a', 'b', 'a.b', '0', '', 'constructor', ...hostile.slice(0, 4)];

const scalar = fc.oneof(fc.constantFrom(...scalars), fc.constantFrom(...dates, ...noDays));
const attributes = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2 },
    { weight: 5, arbitrary: scalar },
    fc.array(fc.oneof(scalar, fc.constant([1])), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 5, noNullPrototype: true }),
})).object;

const kinds = ['mail', 'postal', 'portal'] as const;
const locales = [null, 'fr', 'fr-FR', 'fr-CA', 'en'];
const contexts = ['1', "it's"].flatMap((ref) => ['dossier', 'enquete'].map((type) => ({ type, ref })));
const instants = [
  '2026-10-20T00:00:00Z',
  '2026-10-24T22:30:00.002Z',
  '2026-10-24T22:30:00.004+00:00',
  '2027-01-01T00:00:00Z',
];
const references = ['external:member:M-0', 'external:client:M-1', 'external:member:nobody'];

const path: Arbitrary<string | string[]> = fc.oneof(
  fc.constantFrom('a', 'b', 'a.b', '0', 'b.a', 'constructor', ...hostile.filter((name) => !name.includes('.'))),
  fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }),
);
const values = fc.array(fc.oneof(fc.constantFrom(...scalars), fc.constantFrom(...dates)), {
  minLength: 1,
  maxLength: 3,
});
/** Two bounds, or one of them, the lower first. */
function range<Value>(bound: Arbitrary<Value>, [low, high]: readonly [string, string]): Arbitrary<object> {
  const inOrder = fc.tuple(bound, bound).map(([one, other]) => (one > other ? [other, one] : [one, other]));
  return fc.oneof(
    bound.map((from) => ({ [low]: from })),
    bound.map((to) => ({ [high]: to })),
    inOrder.map(([from, to]) => ({ [low]: from, [high]: to })),
  );
}
const bounds = ['from', 'to'] as const;
const ranges = fc.oneof(
  range(fc.constantFrom(-1, 0, 1, 1.5, 9007199254740991), bounds),
  range(fc.constantFrom(...days), bounds),
  fc
    .tuple(range(fc.constantFrom(...days), bounds), range(fc.integer({ min: -3, max: 3 }), ['fromDays', 'toDays']))
    .map(([days, relative]) => ({ ...days, ...relative })),
  range(fc.integer({ min: -3, max: 3 }), ['fromDays', 'toDays']),
);
const attribute: Arbitrary<AttributeTest> = fc
  .tuple(
    path,
    fc.oneof(
      values.map((is) => ({ is })),
      values.map((contains) => ({ contains })),
      fc.boolean().map((exists) => ({ exists })),
      { weight: 3, arbitrary: ranges },
    ),
  )
  .map(([name, test]) => ({ name, ...test }));

const leaf: Arbitrary<AudienceFilter> = fc.oneof(
  { weight: 8, arbitrary: attribute.map((attribute) => ({ attribute })) },
  fc.subarray(['client', 'member', 'none'], { minLength: 1 }).map((type) => ({ type })),
  fc.subarray(locales, { minLength: 1 }).map((locale) => ({ locale })),
  fc
    .record(
      { kind: fc.constantFrom(...kinds), role: fc.constantFrom('home', 'work'), acceptsContact: fc.boolean() },
      { requiredKeys: ['kind'], noNullPrototype: true },
    )
    .map((hasAddress) => ({ hasAddress })),
  range(fc.constantFrom(...instants), ['createdFrom', 'createdTo']) as Arbitrary<AudienceFilter>,
  fc.constantFrom(...references).map((inHouseholdOf) => ({ inHouseholdOf })),
  fc.constantFrom(...contexts).map((respondedTo) => ({ respondedTo })),
);
const filter = fc.letrec<{ filter: AudienceFilter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    leaf,
    fc.array(tie('filter'), { maxLength: 3 }).map((all) => ({ all })),
    fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((any) => ({ any })),
    tie('filter').map((not) => ({ not })),
    fc.tuple(leaf, tie('filter')).map(([one, not]) => ({ ...one, not })),
  ),
})).filter;

const person = fc.record({
  type: fc.constantFrom('client', 'member'),
  locale: fc.constantFrom(...locales),
  attributes,
  addresses: fc.array(
    fc.record({
      kind: fc.constantFrom(...kinds),
      role: fc.constantFrom('home', 'work', null),
      acceptsContact: fc.boolean(),
    }),
    { maxLength: 2 },
  ),
  household: fc.boolean(),
  responses: fc.subarray(contexts, { maxLength: 2 }),
});

async function fill({ inject, databaseUrl, tenant, clock }: TestService, count: number): Promise<Person[]> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  const people: Person[] = [];
  for (const [index, { household, responses, ...made }] of fc.sample(person, { seed, numRuns: count }).entries()) {
    clock.advance(1);
    const addresses = made.addresses.map((address, at) => ({ ...address, value: `a${index}.${at}@people.example` }));
    const { status, body } = await inject('POST', '/v1/recipients', {
      body: { ...made, externalId: `M-${index}`, addresses },
    });
    if (status !== 201) throw new Error(JSON.stringify(body));
    const householdOf = household && people[0] !== undefined ? people[0].id : null;
    await sql`update recipients set household_of = ${householdOf} where id = ${body.id}`;
    for (const { type, ref } of responses) {
      await sql`insert into responses values (${tenant.id}, ${body.id}, gen_random_uuid(), ${type}, ${ref}, now(), null, now(), now())`;
    }
    people.push({ ...made, id: body.id, householdOf, createdAt: body.createdAt, responses });
  }
  await sql.end();
  return people;
}

t.test('a filter means the same people in SQL as in a plain reading of it', async (t) => {
  const service = await startService(t);
  const { inject, clock } = service;
  clock.set('2026-10-24T22:30:00Z');
  const people = await fill(service, 120);
  await service.addTenant('Mutuelle Armor');
  const idOf = (reference: string) =>
    people.find(({ type }, index) => reference === `external:${type}:M-${index}`)?.id ?? null;
  let meant = 0;
  await fc.assert(
    fc.asyncProperty(
      filter,
      // Half past midnight in Paris on the days when its clocks change, and a minute before.
      fc.constantFrom('2026-10-24T22:30:00Z', '2026-10-24T21:59:00Z', '2026-03-28T23:30:00Z', '2026-03-29T21:59:59Z'),
      async (filter, now) => {
        clock.set(now);
        const where = { now: new Date(now), timezone: 'Europe/Paris', idOf };
        const expected = people.filter((one) => fits(filter, one, where)).map(({ id }) => id);
        const found = await inject('POST', '/v1/recipients/search', { body: { filter, limit: 250 } });
        if (found.status !== 200) throw new Error(JSON.stringify(found.body));
        const ids = found.body.items.map(({ id }: { id: string }) => id);
        if (JSON.stringify(ids) !== JSON.stringify(expected.toReversed())) {
          const wrong = people.filter(({ id }) => ids.includes(id) !== expected.includes(id));
          throw new Error(`${ids.length} instead of ${expected.length}: ${JSON.stringify(wrong.slice(0, 2))}`);
        }
        const { body } = await inject('POST', '/v1/recipients/count', { body: { filter } });
        if (body.count !== expected.length) throw new Error(`counted ${JSON.stringify(body)}`);
        if (expected.length > 0 && expected.length < people.length) meant += 1;
      },
    ),
    { seed, numRuns: 600 },
  );
  t.ok(meant > 200, `${meant} filters meant some and not others`);
});
