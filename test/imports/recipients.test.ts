import t from 'tap';
import { startService } from '../support/service.ts';
import { importFile, importObjects, recipientOf } from './import-service.ts';

t.setTimeout(600_000);

const csv = [
  'type;externalId;displayName;locale;attributes.agence;mail.personal;mail.personal.preferred;mail.personal.acceptsContact;mobile',
  'client;C-1;Hélène Lefèvre;fr-FR;Nantes;helene@courriel.example;oui;;+33612345678',
  'client;C-2;"D’Aubigné; Jean-Noël";;Lyon;jn@courriel.example;;non;',
  ';;;;;;;;',
  'client;C-3;;;;;;;',
  '',
].join('\r\n');

t.test('a table of a spreadsheet makes recipients, and again changes nothing', async (t) => {
  const service = await startService(t);
  const first = await importFile(service, csv);
  t.match(first, {
    kind: 'import',
    status: 'done',
    total: 3,
    done: 3,
    succeeded: 3,
    refusedCount: 0,
    refused: [],
    import: { created: 3, changed: 0, unchanged: 0, separator: ';', encoding: 'utf-8', truncatedAt: null },
  });
  t.equal(first.import.bytesReceived, Buffer.byteLength(csv));
  t.equal(first.import.bytesRead, Buffer.byteLength(csv));
  const helene = await recipientOf(service, 'client', 'C-1');
  t.match(helene, {
    displayName: 'Hélène Lefèvre',
    locale: 'fr-FR',
    attributes: { agence: 'Nantes' },
    addresses: [
      { kind: 'mail', value: 'helene@courriel.example', role: 'personal', preferred: true, acceptsContact: true },
      { kind: 'mobile', role: null, preferred: false, acceptsContact: true },
    ],
  });
  t.match(await recipientOf(service, 'client', 'C-2'), {
    displayName: 'D’Aubigné; Jean-Noël',
    locale: null,
    addresses: [{ value: 'jn@courriel.example', preferred: false, acceptsContact: false }],
  });
  service.clock.advance(60_000);
  t.match((await importFile(service, csv)).import, { created: 0, changed: 0, unchanged: 3 });
  t.same(await recipientOf(service, 'client', 'C-1'), helene, 'neither its revision nor its time');
  const audit = await service.inject('GET', '/v1/audit-entries?limit=250');
  const told = audit.body.items.filter((one: { resourceType: string }) => one.resourceType === 'recipient');
  t.match(told, [{ action: 'imported' }, { action: 'imported' }], 'one entry for each file, and none for a row');
});

t.test('a row sets what it gives and keeps the rest', async (t) => {
  const service = await startService(t);
  await importFile(service, csv);
  service.clock.advance(60_000);
  const changes = 'externalId,displayName,mobile\nC-1,Hélène Martin,\nC-2,,+33611111111\nC-3,,\nC-4,Neuve,\n';
  const done = await importFile(service, changes, { path: '/v1/recipients/import?type=client' });
  t.match(done, { status: 'done', import: { created: 1, changed: 2, unchanged: 1, separator: ',' } });
  const helene = await recipientOf(service, 'client', 'C-1');
  t.match(helene, { displayName: 'Hélène Martin', attributes: { agence: 'Nantes' }, etag: '"2"' });
  t.equal(helene.addresses.length, 2, 'no address was given: they stay');
  const jean = await recipientOf(service, 'client', 'C-2');
  t.match(jean, { displayName: 'D’Aubigné; Jean-Noël', addresses: [{ kind: 'mobile' }] });
  t.equal(jean.addresses.length, 1, 'addresses are replaced as a whole');
});

t.test('NDJSON has the members of a recipient, and null empties one', async (t) => {
  const service = await startService(t);
  const whole = {
    type: 'client',
    externalId: 'C-1',
    displayName: 'Hélène',
    locale: 'fr-FR',
    attributes: { enfants: 2, tags: ['a', { b: null }] },
    addresses: [{ kind: 'mail', value: 'helene@courriel.example', preferred: true }],
  };
  t.match(await importObjects(service, [whole]), { import: { created: 1 } });
  t.match(await recipientOf(service, 'client', 'C-1'), whole);
  const reordered = { ...whole, attributes: { tags: ['a', { b: null }], enfants: 2 } };
  t.match(await importObjects(service, [reordered]), { import: { unchanged: 1 } });
  const emptied = { type: 'client', externalId: 'C-1', locale: null, addresses: [] };
  t.match(await importObjects(service, [emptied]), { import: { changed: 1 } });
  t.match(await recipientOf(service, 'client', 'C-1'), { displayName: 'Hélène', locale: null, addresses: [] });
});

t.test('rows that cannot be kept are told by row, line and column, and the others are kept', async (t) => {
  const service = await startService(t);
  const table = [
    'type;externalId;displayName;preferredChannel;mail;mail.preferred;mail.pro;mail.pro.preferred;postal;householdOf',
    'client;C-1;;;;;;;"3 rue de l’Église',
    '44000 Nantes";',
    'client;;Sans référence;;;;;;;',
    'client;C-3;;;a@b.test;oui;c@d.test;oui;;',
    'client;C-4;;;pas une adresse;;;;;',
    'client;C-5;;pigeon;;;;;;',
    'client;C-6;;;a@b.test;peut-être;;;;',
    'client;C-7;trop peu',
    'client;C-8;a "b" c;;;;;;;',
    'client;C-9;;;;;;;;C-1',
    'client;C-10;bonne;;;;;;;',
  ].join('\n');
  const done = await importFile(service, table);
  t.match(done, { status: 'done', done: 10, succeeded: 2, refusedCount: 8, import: { created: 2 } });
  t.match(done.refused, [
    { row: 3, line: 4, pointer: '/externalId', code: 'required' },
    { row: 4, line: 5, pointer: '/mail.pro.preferred', code: 'preferred_twice' },
    { row: 5, line: 6, pointer: '/mail', code: 'address_invalid' },
    { row: 6, line: 7, pointer: '/preferredChannel', code: 'not_allowed' },
    { row: 7, line: 8, pointer: '/mail.preferred', code: 'wrong_type' },
    { row: 8, line: 9, pointer: '', code: 'cell_count' },
    { row: 9, line: 10, pointer: '', code: 'quote_misplaced' },
    { row: 10, line: 11, pointer: '/householdOf', code: 'wrong_format' },
  ]);
  t.equal(done.refused.length, 8);
  const lines = [
    { type: 'client', externalId: 'N-1', addresses: [{ kind: 'mail', value: 'x' }] },
    { type: 'client', externalId: 'N-2', surprise: 1 },
  ].map((one) => JSON.stringify(one));
  const json = await importFile(service, `${lines.join('\n')}\n[1]\n{"type":\n\n{"__proto__":1}`, {
    type: 'application/x-ndjson',
  });
  t.match(json.refused, [
    { row: 1, line: 1, pointer: '/addresses/0/value', code: 'address_invalid' },
    { row: 2, line: 2, pointer: '/surprise', code: 'unknown_field' },
    { row: 3, line: 3, pointer: '', code: 'wrong_type' },
    { row: 4, line: 4, pointer: '', code: 'invalid_json' },
    { row: 6, line: 6, pointer: '/__proto__', code: 'reserved_name' },
  ]);
});

t.test('an address that no index takes is refused, alone and in a file, and costs no other row', async (t) => {
  const service = await startService(t);
  const letters = Array.from({ length: 1_000 }, (_, index) =>
    String.fromCodePoint(0x4e00 + ((index * 7_919) % 20_000)),
  );
  const addresses = [{ kind: 'postal', value: letters.join('') }];
  const alone = await service.inject('POST', '/v1/recipients', {
    body: { type: 'client', externalId: 'C-1', addresses },
  });
  t.match(alone, { status: 422, body: { errors: [{ pointer: '/addresses/0/value', code: 'address_invalid' }] } });
  const rows = [
    { type: 'client', externalId: 'C-1', addresses },
    { type: 'client', externalId: 'C-2', addresses: [{ kind: 'postal', value: letters.slice(0, 800).join('') }] },
  ];
  const done = await importObjects(service, rows);
  t.match(done, { status: 'done', import: { created: 1 }, refused: [{ row: 1, code: 'address_invalid' }] });
});

t.test('of several rows of one recipient the later holds', async (t) => {
  const service = await startService(t);
  const many = Array.from({ length: 5_000 }, (_, index) => `C-${(index + 6) % 7};n° ${index}`).join('\n');
  const done = await importFile(service, `externalId;displayName\n${many}\n`, {
    path: '/v1/recipients/import?type=client',
  });
  t.match(done, { done: 5_000, import: { created: 7, changed: 4_993, unchanged: 0 } });
  t.match(await recipientOf(service, 'client', 'C-0'), { displayName: 'n° 4999' });
});

t.test('a file that is no table of recipients is refused as a whole, and nothing is kept', async (t) => {
  const { inject } = await startService(t);
  const post = (payload: string | Buffer, type = 'text/csv', query = '') =>
    inject('POST', `/v1/recipients/import${query}`, { payload, headers: { 'content-type': type } });
  const cases: [string, string, string][] = [
    ['type;externalId;surprise\n', '/surprise', 'column_unknown'],
    ['type;externalId;mail;mail\n', '/mail', 'column_twice'],
    ['type;displayName\n', '/externalId', 'column_missing'],
    ['externalId;displayName\n', '/type', 'column_missing'],
    ['type;externalId;mail.preferred\n', '/mail.preferred', 'column_missing'],
    ['type;externalId;attributes.__proto__\n', '/attributes.__proto__', 'column_unknown'],
    ['\n', '', 'header_missing'],
    ['', '', 'empty'],
    [`type;"${'x'.repeat(600_000)}`, '', 'header_too_long'],
  ];
  for (const [content, pointer, code] of cases) {
    const answer = await post(content);
    t.match(answer, { status: 422, body: { code: 'unprocessable', errors: [{ pointer, code }] } }, code);
  }
  const keys = ['recipients:update', 'recipients:create'].map(async (scope) => {
    const body = { name: scope, kind: 'live', scopes: [scope] };
    return (await inject('POST', '/v1/api-keys', { body })).body.secret;
  });
  const file = { payload: 'type;externalId\n', headers: { 'content-type': 'text/csv' } };
  for (const [place, lacking] of ['recipients:create', 'recipients:update'].entries()) {
    const key = (await keys[place]) ?? '';
    const refused = await inject('POST', '/v1/recipients/import', { key, ...file });
    t.match(refused, { status: 403, body: { code: 'forbidden', scope: lacking } });
  }
  t.match(await post('a', 'text/plain'), { status: 415 });
  t.match(await inject('POST', '/v1/recipients/import'), { status: 415 });
  t.match(await post('type;externalId\n', 'text/csv', '?type=a%20b'), { status: 400, body: { code: 'invalid_query' } });
  t.match(await post('type;externalId\n', 'text/csv', '?other=1'), { status: 400, body: { code: 'invalid_query' } });
  t.equal((await inject('GET', '/v1/recipients')).body.items.length, 0);
});
