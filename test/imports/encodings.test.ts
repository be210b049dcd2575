/** Tables as spreadsheets and older applications write them. */
import t from 'tap';
import { startService, type TestService } from '../support/service.ts';
import { importFile, recipientOf } from './import-service.ts';

t.setTimeout(600_000);

const name = 'Œuvre de l’Hôpital Noël, 5 €';
const path = '/v1/recipients/import?type=client';
const windows: Readonly<Record<string, number>> = { '€': 0x80, œ: 0x9c, Œ: 0x8c, '’': 0x92 };

/** Windows-1252, as French spreadsheets write it. */
const windows1252 = (text: string) =>
  Buffer.from([...text].map((letter) => windows[letter] ?? letter.codePointAt(0) ?? 0));

const nameOf = async (service: TestService, externalId: string) =>
  (await recipientOf(service, 'client', externalId)).displayName;

t.test('one table in every encoding and with every separator gives the same names', async (t) => {
  const service = await startService(t);
  const little = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');
  const encodings: [string, (text: string) => Buffer, string][] = [
    ['UTF-8', (text) => Buffer.from(text), 'utf-8'],
    ['UTF-8 with a mark', (text) => Buffer.from(`\ufeff${text}`), 'utf-8'],
    ['Windows-1252', windows1252, 'windows-1252'],
    ['UTF-16 of Windows', little, 'utf-16'],
    ['UTF-16, the other way', (text) => little(text).swap16(), 'utf-16'],
  ];
  let number = 0;
  for (const [what, encode, encoding] of encodings) {
    for (const separator of [';', ',', '\t']) {
      for (const end of ['\r\n', '\n', '\r']) {
        number += 1;
        const rows = [
          ['externalId', 'displayName', 'attributes.prénom'],
          [`C-${number}`, `"${name}"`, 'Zoé'],
          [`D-${number}`, '', ''],
        ];
        const text = rows.map((cells) => cells.join(separator) + end).join('');
        const done = await importFile(service, encode(text), { path });
        t.match(done, { status: 'done', refusedCount: 0, import: { created: 2, encoding, separator } }, what);
        t.match(
          await recipientOf(service, 'client', `C-${number}`),
          { displayName: name, attributes: { prénom: 'Zoé' } },
          `${what}, ${JSON.stringify(separator)}, ${JSON.stringify(end)}`,
        );
      }
    }
  }
});

t.test('letters that come late decide how the file is read', async (t) => {
  const service = await startService(t);
  const plain = Array.from({ length: 12_000 }, (_, index) => `A-${index};Dupont ${'x'.repeat(30)}`).join('\n');
  const table = `externalId;displayName\n${plain}\nC-1;Hélène\n`;
  t.ok(table.length > 512 * 1024, 'far behind the first piece');
  const done = await importFile(service, windows1252(table), { path });
  t.match(done, { done: 12_001, refusedCount: 0, import: { encoding: 'windows-1252' } });
  t.equal(await nameOf(service, 'C-1'), 'Hélène');
});

t.test('a row that is not written as its file is refused, and no name is mangled', async (t) => {
  const service = await startService(t);
  const rows = (from: number) =>
    Array.from({ length: 10 }, (_, index) => `C-${from + index};Hélène ${from + index}\n`).join('');
  const mixed = (encode: (text: string) => Buffer, stranger: Buffer) =>
    Buffer.concat([encode('externalId;displayName\n'), encode(rows(0)), stranger, encode(rows(10))]);
  const utf8 = await importFile(service, mixed(Buffer.from, windows1252('W-1;Noël\n')), { path });
  t.match(utf8, { done: 21, import: { created: 20, encoding: 'utf-8' } });
  t.match(utf8.refused, [{ row: 12, line: 12, code: 'encoding_mixed' }]);
  const other = await importFile(service, mixed(windows1252, Buffer.from('U-1;Noël\n')), { path });
  t.match(other, { done: 21, import: { unchanged: 20, encoding: 'windows-1252' } });
  t.match(other.refused, [{ row: 12, line: 12, code: 'encoding_mixed' }]);
  t.equal(await nameOf(service, 'C-3'), 'Hélène 3');
  t.equal(await nameOf(service, 'C-13'), 'Hélène 13');
  const lines = [Buffer.from('{"externalId":"N-1"}\n'), windows1252('{"externalId":"N-2","displayName":"Noël"}\n')];
  const json = await importFile(service, Buffer.concat(lines), { path, type: 'application/x-ndjson' });
  t.match(json, { import: { created: 1 }, refused: [{ row: 2, code: 'invalid_utf8' }] });
  const damaged = Buffer.from('\ufeffexternalId;displayName\nC-50;No\ud800l\nC-51;Noël\n', 'utf16le');
  const utf16 = await importFile(service, damaged, { path });
  t.match(utf16, { import: { created: 1 }, refused: [{ row: 2, code: 'letter_lost' }] });
});

t.test('one damaged row does not change how the others are read, whatever ends the lines', async (t) => {
  const service = await startService(t);
  for (const end of ['\r', '\n', '\r\n']) {
    const rows = ['externalId;displayName', 'A-1;Hélène', 'A-2;Noël', 'A-4;Zoé', ''].join(end);
    const file = Buffer.concat([Buffer.from(rows), windows1252(`A-3;Zoé${end}`)]);
    const done = await importFile(service, file, { path });
    t.match(done, { refused: [{ row: 5, code: 'encoding_mixed' }], import: { encoding: 'utf-8' } });
    t.equal(done.refusedCount, 1, JSON.stringify(end));
  }
  t.equal(await nameOf(service, 'A-4'), 'Zoé');
});

t.test('what stands before the header is passed over, and rows are numbered as a spreadsheet shows them', async (t) => {
  const service = await startService(t);
  const rows = 'externalId;attributes.note\nB-1;a,b,c,d,e\n;\nB-2;x;y\n';
  const blank = await importFile(service, `\r\n;;\n${rows}`, { path });
  t.match(blank, { import: { created: 1, separator: ';' }, refused: [{ row: 6, line: 6, code: 'cell_count' }] });
  for (const mark of ['', '\ufeff']) {
    const told = await importFile(service, `${mark}sep=;\r\n${rows}`, { path });
    t.match(told, { import: { unchanged: 1, separator: ';' }, refused: [{ row: 4, line: 5, code: 'cell_count' }] });
  }
  const commas = 'sep=,\nexternalId,"displayName;attributes.a;attributes.b"\n';
  t.match(await importFile(service, commas, { path }), { errors: [{ code: 'column_unknown' }] }, 'as the file says');
  t.match(await importFile(service, `sep=|\n${rows}`, { path }), { errors: [{ code: 'separator_unknown' }] });
  t.match(await importFile(service, '\n;;\n\n', { path }), { errors: [{ code: 'header_missing' }] });
});

t.test('UTF-16 without a mark is told as that', async (t) => {
  const service = await startService(t);
  const little = Buffer.from('externalId;displayName\nC-1;Hélène\n', 'utf16le');
  for (const file of [little, Buffer.from(little).swap16()]) {
    t.match(await importFile(service, file, { path }), {
      status: 422,
      detail: /^The file is UTF-16 without a mark/,
      errors: [{ pointer: '', code: 'encoding_unknown' }],
    });
  }
});

t.test('a quote that is never closed costs its own row, and a row that is too long costs itself', async (t) => {
  const service = await startService(t);
  const good = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${prefix}-${index};Nom ${'y'.repeat(100)}\n`).join('');
  const open = `externalId;displayName\nC-1;Un\nC-2;"jamais fermé\n${good('D', 8_000)}`;
  const done = await importFile(service, open, { path });
  t.match(done, { status: 'done', done: 8_002, refusedCount: 1, import: { created: 8_001 } });
  t.match(done.refused, [{ row: 3, line: 3 }]);
  const long = `externalId;displayName\nE-1;Un\nE-2;${'z'.repeat(2_000_000)}\n${good('F', 10)}`;
  const passed = await importFile(service, long, { path });
  t.match(passed, { done: 12, refusedCount: 1, import: { created: 11 }, refused: [{ row: 3, code: 'row_too_long' }] });
});
