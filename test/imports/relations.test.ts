/** Files that say whom people belong to: households, reference contacts, parts of structures. */
import t from 'tap';
import { done } from '../support/broker.ts';
import { startPeople } from '../support/people.ts';
import { startService, type TestService } from '../support/service.ts';
import { importFile, recipientOf } from './import-service.ts';

t.setTimeout(600_000);

const householdOf = async (service: TestService, externalId: string) =>
  (await recipientOf(service, 'dependant', externalId)).householdOf;

t.test('a file of members and dependants: the member may stand in the same file, before them', async (t) => {
  const service = await startService(t);
  const table = [
    'type;externalId;mail;householdOf',
    'member;M-1;paule@foyer.test;',
    'dependant;D-1;;external:member:M-1',
    'dependant;D-2;;external:member:M-9',
    'dependant;D-3;;external:dependant:D-1',
    'dependant;D-4;;M-1',
    'dependant;D-5;;',
  ].join('\n');
  const first = await importFile(service, table);
  t.match(first, { status: 'done', done: 6, refusedCount: 3, import: { created: 3 } });
  t.match(first.refused, [
    { row: 4, line: 4, pointer: '/householdOf', code: 'recipient_unknown' },
    { row: 5, line: 5, pointer: '/householdOf', code: 'household_nested' },
    { row: 6, line: 6, pointer: '/householdOf', code: 'wrong_format' },
  ]);
  const member = await recipientOf(service, 'member', 'M-1');
  t.equal(await householdOf(service, 'D-1'), member.id);
  for (const refused of ['D-2', 'D-3', 'D-4']) {
    const { items } = await done(service.inject('GET', `/v1/recipients?externalId=${refused}`));
    t.same(items, [], `nothing of ${refused} is kept: nobody would speak for them`);
  }
  const before = await recipientOf(service, 'dependant', 'D-1');
  const again = await importFile(service, table);
  t.match(again.import, { created: 0, changed: 0, unchanged: 3 });
  t.same(await recipientOf(service, 'dependant', 'D-1'), before, 'what did not change was not touched');
});

t.test('an export names whom people belong to as another organisation knows them', async (t) => {
  const service = await startPeople(t);
  const { put, work, inject, addTenant } = service;
  await put('member:1');
  await put('dependant:1', { householdOf: 'external:member:1' });
  await put('company:1', {});
  await put('contact:1', { referenceContactOf: 'external:company:1', partOf: 'external:company:1' });
  for (const [format, type] of [
    ['csv', 'text/csv'],
    ['ndjson', 'application/x-ndjson'],
  ] as const) {
    const body = { kind: 'recipients', format };
    const { operation } = await done(inject('POST', '/v1/exports', { body }));
    await work();
    const file = (await inject('GET', `/v1/exports/${operation}/content`)).raw;
    t.match(await importFile(service, file, { type }), { refused: [], import: { unchanged: 4 } });
    const { key } = await addTenant(`Autre ${format}`);
    t.match(await importFile(service, file, { type, key }), { refused: [], import: { created: 4 } });
    const { items } = await done(inject('GET', '/v1/recipients?type=dependant', { key }));
    const member = await done(inject('GET', '/v1/recipients?type=member', { key }));
    t.match(items, [{ householdOf: member.items[0].id }]);
  }
});

t.test(
  'thousands of dependants before their members are kept, and only who is named and never comes is refused',
  async (t) => {
    const service = await startService(t);
    const numbers = Array.from({ length: 3_000 }, (_, index) => index);
    const header = 'type;externalId;displayName;householdOf;partOf';
    const dependants = numbers.map((number) => `dependant;D-${number};Enfant ${number};external:member:M-${number};`);
    const unknown = ['dependant;D-9;;external:member:M-none;', 'dependant;D-none;;external:member:M-none;'];
    const chain = [
      'structure;S-3;;;external:structure:S-2',
      'structure;S-2;;;external:structure:S-1',
      'structure;S-1;;;',
    ];
    const members = numbers.map((number) => `member;M-${number};Nom ${number};;`);
    const rows = [...unknown, ...dependants, 'dependant;D-7;Le dernier mot;;', ...chain, ...members];
    const done = await importFile(service, [header, ...rows].join('\n'));
    t.match(done, {
      status: 'done',
      total: rows.length,
      done: rows.length,
      refusedCount: 2,
      refused: [
        { row: 2, line: 2, pointer: '/householdOf', code: 'recipient_unknown' },
        { row: 3, line: 3, pointer: '/householdOf', code: 'recipient_unknown' },
      ],
      import: { created: 6_003, changed: 1, unchanged: 0 },
    });
    const whose = await recipientOf(service, 'dependant', 'D-7');
    t.match(whose, { displayName: 'Le dernier mot', householdOf: (await recipientOf(service, 'member', 'M-7')).id });
    t.equal(await householdOf(service, 'D-9'), (await recipientOf(service, 'member', 'M-9')).id);
    t.equal(
      (await recipientOf(service, 'structure', 'S-3')).partOf,
      (await recipientOf(service, 'structure', 'S-2')).id,
    );
    t.equal((await recipientOf(service, 'dependant', 'D-none')).status, 404);
    const [left] = await service.runtime.db.execute('select count(*)::int as count from import_waiting_rows');
    t.same({ ...left }, { count: 0 }, 'nothing of the file is left');
    const again = await importFile(service, [header, ...dependants, ...members].join('\n'));
    t.match(again, { refusedCount: 0, import: { created: 0, changed: 1, unchanged: 5_999 } });
  },
);

t.test('the audit trail names what a row with a relation has changed, and nothing else', async (t) => {
  const service = await startService(t);
  const table = (name: string, member: string) =>
    `type;externalId;displayName;locale;householdOf\nmember;M-1;;;\nmember;M-2;;;\ndependant;D-1;${name};fr-FR;external:member:${member}`;
  await importFile(service, table('Un', 'M-1'));
  await importFile(service, table('Deux', 'M-1'));
  await importFile(service, table('Deux', 'M-2'));
  const { items } = await done(service.inject('GET', '/v1/audit-entries'));
  const updated = items.filter(({ action }: { action: string }) => action === 'updated');
  t.match(updated, [{ fields: ['householdOf'] }, { fields: ['displayName'] }]);
  t.equal(updated.length, 2);
});

t.test('rows of one file make no loop between them; null takes a relation away', async (t) => {
  const service = await startService(t);
  const lines = (rows: object[]) => rows.map((row) => JSON.stringify(row)).join('\n');
  const type = { type: 'application/x-ndjson' };
  const two = ['A', 'B'].map((externalId) => ({ type: 'dependant', externalId }));
  await importFile(service, lines(two), type);
  const loop = [
    { ...two[0], householdOf: 'external:dependant:B' },
    { ...two[1], householdOf: 'external:dependant:A' },
  ];
  const looped = await importFile(service, lines(loop), type);
  t.match(looped, { import: { changed: 1 }, refused: [{ row: 2, pointer: '/householdOf', code: 'household_loop' }] });
  t.equal(await householdOf(service, 'B'), null);
  await importFile(service, lines([{ ...two[0], householdOf: null, displayName: 'Seul' }]), type);
  t.match(await recipientOf(service, 'dependant', 'A'), { householdOf: null, displayName: 'Seul' });
});

t.test(
  'rows of an unknown type are refused, and telephone numbers are read as the organisation dials them',
  async (t) => {
    const service = await startService(t);
    const table = ['type;externalId;mobile', 'licorne;L-1;', 'client;C-1;06 12 98 76 54', 'client;C-2;01 42 61 52 53'];
    const imported = await importFile(service, table.join('\n'));
    t.match(imported.refused, [
      { row: 2, pointer: '/type', code: 'recipient_type_unknown' },
      { row: 4, pointer: /^\/mobile/, code: 'telephone_kind' },
    ]);
    const { items } = await done(service.inject('GET', '/v1/recipients?address=%2B33612987654'));
    t.match(items, [{ externalId: 'C-1' }]);
  },
);
