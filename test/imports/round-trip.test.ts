/** What is exported is imported as it was: into the same organisation, where nothing changes, and into another. */
import fc from 'fast-check';
import t from 'tap';
import { mail, startPeople } from '../support/people.ts';
import { startService, type TestService } from '../support/service.ts';
import { importFile, importObjects, recipientOf } from './import-service.ts';

t.setTimeout(600_000);

type Inject = TestService['inject'];

async function exportRecipients(service: Pick<TestService, 'work'> & { inject: Inject }, request: object) {
  const { body, status } = await service.inject('POST', '/v1/exports', { body: { kind: 'recipients', ...request } });
  if (status !== 202) throw new Error(JSON.stringify(body));
  await service.work();
  return service.inject('GET', `/v1/exports/${body.operation}/content`);
}

const oneLine = (maxLength: number) =>
  fc
    .oneof(
      fc.constantFrom(
        '=1+2',
        "'=1",
        "''x",
        '@a',
        '-3',
        '+33',
        ' espace ',
        'a;b',
        'a,b',
        'dit "oui"',
        '"',
        'é€œ',
        '\ufffd',
      ),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength }),
    )
    .filter(
      (text) => text.length > 0 && text.length <= maxLength && !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text),
    );

const texts = fc
  .oneof(oneLine(40), fc.constantFrom('deux\nlignes', 'trois\r\nlignes\r', '\tx', '\r', ''))
  .filter((text) => !text.includes('\u0000') && text.isWellFormed());

const attributes = fc.dictionary(
  fc
    .oneof(fc.constantFrom('agence', 'titre', 'a.b', 'mail', ' x ', 'dit "oui";'), oneLine(12))
    .filter((name) => name !== '__proto__'),
  fc.oneof(
    { weight: 4, arbitrary: texts },
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constant({ a: [1, 'b'] }),
  ),
  { maxKeys: 4 },
);

const address = fc.oneof(
  fc.record({ kind: fc.constant('mail'), value: fc.nat(9_999).map((number) => `p${number}@courriel.example`) }),
  fc.record({ kind: fc.constant('mobile'), value: fc.constantFrom('+33612345678', '+33712345678') }),
  fc.record({ kind: fc.constant('postal'), value: fc.constantFrom('3 rue de l’Église\n44000 Nantes', '=cmd') }),
);

const addresses = fc
  .array(
    fc.tuple(
      address,
      fc.constantFrom(null, 'personal', 'pro', 'preferred', 'a.acceptsContact', 'x;"y'),
      fc.boolean(),
      fc.boolean(),
    ),
    { maxLength: 4 },
  )
  .map((list) =>
    list.map(([one, role, preferred, accepts], place) => ({
      ...one,
      role,
      // One word about one address: a refusal holds for each time it is there.
      acceptsContact:
        accepts && list.every(([other, ofRole, , yes]) => yes || ofRole !== role || other.value !== one.value),
      preferred: preferred && list.findIndex(([other]) => other.kind === one.kind) === place,
    })),
  );

const people = fc.uniqueArray(
  fc.record({
    type: fc.constantFrom('client', 'member'),
    externalId: oneLine(30),
    displayName: fc.option(oneLine(30)),
    locale: fc.constantFrom(null, 'fr-FR'),
    preferredChannel: fc.constantFrom(null, 'mail'),
    attributes,
    addresses,
  }),
  { selector: ({ type, externalId }) => `${type} ${externalId}`, minLength: 1, maxLength: 12 },
);

const relations = ['householdOf', 'referenceContactOf', 'partOf'] as const;

/**
 * People of whom some belong to others, who may stand further up or down: to those before them in a list that is mixed
 * afterwards. Of a household only every second is, so that nobody follows somebody who follows another.
 */
const relatedPeople = fc
  .tuple(
    people,
    fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat()), { minLength: 12, maxLength: 12 }),
    fc.integer({ min: 1, max: 4 }),
  )
  .map(([list, ways, away]) => {
    const at = (place: number) => {
      const one = list[place];
      return one === undefined ? null : `external:${one.type}:${one.externalId}`;
    };
    const related = list.map((person, place) => {
      const [household = 0, part = 0, order = 0] = ways[place] ?? [];
      return {
        order,
        ...person,
        householdOf: place % 2 === 1 && household % 3 > 0 ? at(2 * (household % ((place + 1) / 2))) : null,
        partOf: place > 0 && place < 9 && part % 2 === 1 ? at(part % place) : null,
        referenceContactOf: order % 2 === 1 ? at(place - away) : null,
      };
    });
    return related.sort((left, right) => left.order - right.order).map(({ order: _order, ...person }) => person);
  });

/** All of them as the API shows them, without what an organisation gives them; whom they belong to by name. */
async function peopleOf(inject: Inject) {
  const { body } = await inject('GET', '/v1/recipients?limit=250');
  const names = new Map(body.items.map((one: Record<string, unknown>) => [one.id, `${one.type} ${one.externalId}`]));
  const shown = body.items.map(
    ({ id: _id, createdAt: _made, updatedAt: _changed, ...rest }: Record<string, unknown>) => ({
      ...rest,
      ...Object.fromEntries(relations.map((name) => [name, names.get(rest[name]) ?? null])),
    }),
  );
  return shown.sort((left: object, right: object) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1));
}

t.test('any recipients, in any format', async (t) => {
  const service = await startService(t);
  let tenants = 0;
  const property = fc.asyncProperty(
    relatedPeople,
    fc.constantFrom({ format: 'csv' }, { format: 'csv', separator: ',' }, { format: 'ndjson' }),
    async (list, request) => {
      tenants += 2;
      const [own, other] = [await service.addTenant(`Un ${tenants}`), await service.addTenant(`Deux ${tenants}`)];
      const as = (key: string): Pick<TestService, 'inject' | 'work'> => ({
        work: service.work,
        inject: (method, path, ask = {}) => service.inject(method, path, { key, ...ask }),
      });
      const made = await importObjects(as(own.key), list);
      t.match(made, { refusedCount: 0, import: { created: list.length } });
      service.clock.advance(1_000);
      const file = await exportRecipients(as(own.key), request);
      const type = request.format === 'csv' ? 'text/csv' : 'application/x-ndjson';
      const again = await importFile(as(own.key), file.raw, { type });
      t.match(again, { refused: [], import: { created: 0, changed: 0, unchanged: list.length } });
      const moved = await importFile(as(other.key), file.raw, { type });
      t.match(moved, { import: { created: list.length } });
      t.same(await peopleOf(as(other.key).inject), await peopleOf(as(own.key).inject));
    },
  );
  await fc.assert(property, { numRuns: 25, endOnFailure: true });
});

t.test('a table of recipients has a column for each text and each way to reach them', async (t) => {
  const service = await startService(t);
  const table = [
    'type;externalId;displayName;attributes.agence;mail.personal;mail.personal.preferred;mobile',
    "client;C-1;'=Hélène;Nantes;helene@courriel.example;oui;'+33612345678",
    'client;C-2;Noël;;;;',
    'membre;M-1;Autre;;;;',
  ].join('\n');
  await importFile(service, table);
  t.match(await recipientOf(service, 'client', 'C-1'), { displayName: '=Hélène' });
  const file = await exportRecipients(service, { format: 'csv', recipientFilter: { type: 'client' } });
  t.match(file.headers, {
    'content-type': 'text/csv; charset=utf-8',
    'content-disposition': /^attachment; filename="recipients-.*\.csv"$/,
  });
  t.same(file.raw.toString('utf8').split('\r\n'), [
    '\ufefftype;externalId;displayName;locale;preferredChannel;householdOf;referenceContactOf;partOf;attributes.agence;mail.personal;mail.personal.preferred;mobile;attributes;addresses',
    "client;C-1;'=Hélène;;;;;;Nantes;helene@courriel.example;true;'+33612345678;;",
    'client;C-2;Noël;;;;;;;;;;;',
    '',
  ]);
});

t.test('who refuses after an export has refused when the file is imported again', async (t) => {
  const service = await startPeople(t);
  const { put, write } = service;
  await put('client:1', { addresses: [mail('p1@people.test')] });
  await put('client:2', { addresses: [mail('p2@people.test', { acceptsContact: false })] });
  for (const [format, type] of [
    ['csv', 'text/csv'],
    ['ndjson', 'application/x-ndjson'],
  ] as const) {
    await put('client:1', { addresses: [mail('p1@people.test', { acceptsContact: true })] });
    const file = await exportRecipients(service, { format });
    await put('client:1', { addresses: [mail('p1@people.test', { acceptsContact: false })] });
    t.match(await importFile(service, file.raw, { type }), { refusedCount: 0, import: { unchanged: 2 } });
    const { outcomes } = await write(['client:1', 'client:2']);
    t.same(outcomes, ['B contact_refused', 'B contact_refused'], format);
  }
});

t.test('an export of recipients needs the right to read them, and takes no filter of messages', async (t) => {
  const service = await startService(t);
  const ask = (body: object, key?: string) => service.inject('POST', '/v1/exports', { body, ...(key ? { key } : {}) });
  const made = await service.inject('POST', '/v1/api-keys', {
    body: { name: 'Journal', kind: 'live', scopes: ['exports:create', 'exports:read', 'messages:read'] },
  });
  const order = { kind: 'recipients', format: 'csv' };
  t.match(await ask(order, made.body.secret), { status: 403, body: { scope: 'recipients:read' } });
  const { operation } = (await ask(order)).body;
  await service.work();
  const content = await service.inject('GET', `/v1/exports/${operation}/content`, { key: made.body.secret });
  t.match(content, { status: 403, body: { scope: 'recipients:read' } });
  t.match(await ask({ ...order, filter: { status: ['OK'] } }), {
    status: 422,
    body: { errors: [{ pointer: '/filter' }] },
  });
  const other = await ask({ kind: 'messages', format: 'csv', recipientFilter: { type: 'client' } });
  t.match(other, { status: 422, body: { errors: [{ pointer: '/recipientFilter' }] } });
});
