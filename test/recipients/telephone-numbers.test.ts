import { readdir, readFile } from 'node:fs/promises';
import postgres from 'postgres';
import t from 'tap';
import { startService, type TestService } from '../support/service.ts';

/** What people write, and the number that it is. */
const numbers: Readonly<Record<string, string>> = {
  '06 12 34 56 78': '+33612345678',
  '06.12.34.56.78': '+33612345678',
  '06\u00a012\u202f34 56 78': '+33612345678',
  '+33 (0)6 12 34 56 78': '+33612345678',
  '0033 6 12 34 56 78': '+33612345678',
  '07 56 78 90 12': '+33756789012',
  '0692 12 34 56': '+262692123456',
  '+262 692 12 34 56': '+262692123456',
  '0639 01 23 45': '+262639012345',
  '0690 30 12 34': '+590690301234',
  '0694 20 12 34': '+594694201234',
  '0696 20 12 34': '+596696201234',
  '+32 470 12 34 56': '+32470123456',
  '0041 79 123 45 67': '+41791234567',
  '+44 7911 123456': '+447911123456',
  '(202) 555-0123': '',
  '+1 (202) 555-0123': '+12025550123',
};

/** Landlines and services: nobody reads a text message there. */
const landlines: Readonly<Record<string, string>> = {
  '01 42 68 53 00': '+33142685300',
  '0262 12 34 56': '+262262123456',
  '0590 12 34 56': '+590590123456',
  '0269 61 12 34': '+262269611234',
  '0800 123 456': '+33800123456',
  '0899 70 12 34': '+33899701234',
  '+44 20 7946 0958': '+442079460958',
};

const none = [
  '12',
  '3639',
  '06 12 34 56',
  '06 12 34 56 7',
  '06 12 34 56 78 9',
  '1111111111',
  '0000000000',
  '+999 123456',
  'tél. 0612345678',
  '06 12 34 56 78 / 07 56 78 90 12',
  '+33',
  'abc',
];

const person = (externalId: string, addresses: object[]) => ({ type: 'client', externalId, addresses });
const create = ({ inject }: TestService, externalId: string, addresses: object[]) =>
  inject('POST', '/v1/recipients', { body: person(externalId, addresses) });
const find = async ({ inject }: TestService, address: string) => {
  const { status, body } = await inject('GET', `/v1/recipients?address=${encodeURIComponent(address)}`);
  return status === 200 ? body.items.map((one: { externalId: string }) => one.externalId) : status;
};

t.test('a mobile number is taken in any spelling, kept as it was written, and found in any other', async (t) => {
  const service = await startService(t);
  for (const [index, [value, number]] of Object.entries(numbers).entries()) {
    const made = await create(service, `C-${index}`, [{ kind: 'mobile', value }]);
    if (number === '') {
      t.match(
        made,
        { status: 422, body: { errors: [{ pointer: '/addresses/0/value', code: 'address_invalid' }] } },
        value,
      );
      continue;
    }
    t.match(made, { status: 201, body: { addresses: [{ value }], warnings: [] } }, value);
    t.ok((await find(service, number)).includes(`C-${index}`), `${value} is found as ${number}`);
    const spaced = number.replace(/^(\+\d\d)(\d\d\d)/, '$1 $2-');
    t.ok((await find(service, spaced)).includes(`C-${index}`), `and as ${spaced}`);
  }
  t.same(await find(service, '06-12-34-56-78'), ['C-4', 'C-3', 'C-2', 'C-1', 'C-0']);
  t.same(await find(service, '06 12 34 56 79'), []);
});

t.test('a landline is taken as such, and refused by name as a mobile; what may be either is taken', async (t) => {
  const service = await startService(t);
  for (const [index, [value, number]] of Object.entries(landlines).entries()) {
    const refused = await create(service, `M-${index}`, [
      { kind: 'mail', value: 'a@b.example' },
      { kind: 'mobile', value },
    ]);
    const error = { pointer: '/addresses/1/kind', code: 'telephone_kind' };
    t.match(refused, { status: 422, body: { code: 'unprocessable', errors: [error] } }, value);
    t.match(await create(service, `L-${index}`, [{ kind: 'landline', value }]), {
      status: 201,
      body: { warnings: [] },
    });
    t.same(await find(service, number), [`L-${index}`], number);
  }
  for (const value of ['+1 202 555 0123', '09 70 12 34 56']) {
    for (const kind of ['mobile', 'landline']) {
      t.equal((await create(service, `${kind}-${value}`, [{ kind, value }])).status, 201, `${kind} ${value}`);
    }
  }
  const desk = await create(service, 'desk', [{ kind: 'landline', value: '01 42 68 53 00 ext. 12' }]);
  t.equal(desk.status, 201);
  t.same(await find(service, '+33 1 42 68 53 00 ext. 12'), ['desk']);
  t.same(await find(service, '01 42 68 53 00'), ['L-0'], 'an extension is another number');
  const extended = await create(service, 'extended', [{ kind: 'mobile', value: '06 12 34 56 78 ext. 12' }]);
  t.match(extended, { status: 422, body: { errors: [{ code: 'telephone_kind' }] } });
});

t.test(
  'what cannot be a number is refused with every place; what nobody has yet is taken with a warning',
  async (t) => {
    const service = await startService(t);
    const refused = await create(
      service,
      'C-1',
      none.map((value) => ({ kind: 'landline', value })),
    );
    const errors = none.map((_, index) => ({ pointer: `/addresses/${index}/value`, code: 'address_invalid' }));
    t.match(refused, { status: 422, body: { errors } });
    t.equal(refused.body.errors.length, none.length);
    const taken = await create(service, 'C-2', [
      { kind: 'mobile', value: '06 39 98 12 34' },
      { kind: 'landline', value: '06 12 34 56 78' },
      { kind: 'landline', value: '01 42 68 53 00' },
    ]);
    t.same(
      taken.body.warnings.map(({ message, ...warning }: { message: string }) => warning),
      [
        { pointer: '/addresses/0/value', code: 'telephone_looks_mistyped', suggestion: null },
        { pointer: '/addresses/1/kind', code: 'telephone_is_mobile', suggestion: 'mobile' },
      ],
    );
  },
);

t.test('a number without a country code is of the country of the organisation', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  for (const [locale, value, number] of [
    ['fr-BE', '0470 12 34 56', '+32470123456'],
    ['fr-CH', '079 123 45 67', '+41791234567'],
    ['fr-RE', '06 12 34 56 78', '+33612345678'],
    ['fr-RE', '0692 12 34 56', '+262692123456'],
    ['fr', '07 56 78 90 12', '+33756789012'],
  ] as const) {
    const set = await inject('PATCH', '/v1/tenant', { body: { locale }, headers: { 'if-match': '*' } });
    t.equal(set.status, 200, locale);
    t.equal((await create(service, locale + number, [{ kind: 'mobile', value }])).status, 201, `${locale} ${value}`);
    t.same(await find(service, number), [locale + number]);
    t.same(await find(service, value), [locale + number]);
  }
});

t.test('numbers that were kept by their digits are found, and brought to E.164 by the migration', async (t) => {
  const service = await startService(t);
  const sql = postgres(service.databaseUrl, { max: 1, onnotice: () => undefined });
  t.teardown(() => sql.end());
  const old: Record<string, string> = {
    '0612345678': '+33612345678',
    '0142685300': '+33142685300',
    '0692123456': '+262692123456',
    '0596601234': '+596596601234',
    '0033612345679': '+33612345679',
    '00330612345680': '+33612345680',
    '+330612345681': '+33612345681',
    '0041791234567': '+41791234567',
    '+32470123456': '+32470123456',
    '3639': '3639',
    '12345': '12345',
  };
  for (const [index, digits] of Object.keys(old).entries()) {
    const { id } = (await create(service, `C-${index}`, [])).body;
    await sql`insert into recipient_addresses values (${service.tenant.id}, ${id}, 0, 'landline', ${digits}, ${digits}, null, false, true)`;
    t.same(await find(service, digits.replace(/(..)/g, '$1 ')), [`C-${index}`], `${digits} is found before`);
  }
  const folder = new URL('../../migrations/', import.meta.url);
  const name = (await readdir(folder)).find((file) => file.endsWith('telephone-numbers.sql')) ?? '';
  await sql.unsafe(await readFile(new URL(name, folder), 'utf8'));
  const rows = await sql`select value, normalized from recipient_addresses`;
  t.strictSame(Object.fromEntries(rows.map(({ value, normalized }) => [value, normalized])), old);
  for (const [index, number] of Object.values(old).entries()) {
    t.same(await find(service, number), [`C-${index}`], `${number} is found after`);
  }
});
