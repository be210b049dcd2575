/** Files that say whom people belong to: households, reference contacts, parts of structures. */
import t from 'tap';
import { done } from '../support/broker.ts';
import { startPeople } from '../support/people.ts';
import { startService, type TestService } from '../support/service.ts';
import { importFile, recipientOf } from './import-service.ts';

t.setTimeout(170_000);

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
