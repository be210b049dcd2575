/** Reading rows goes on at any byte, in another process: what is read does not depend on where a piece ends. */
import fc from 'fast-check';
import t from 'tap';
import { csvLine, unguarded } from '../../src/row-files/csv-text.ts';
import { type RowCursor, type RowFormat, readRows } from '../../src/row-files/read-rows.ts';

const start: RowCursor = { offset: 0, row: 1, line: 1, skipping: false, encoding: null };
const csv = (columns: number): RowFormat => ({ kind: 'csv', separator: ';', columns, transcoded: false });

const hostile = fc
  .array(
    fc.constantFrom('"', '""', ';', '\n', '\r\n', '\r', 'é', '€', 'a', 'bc', ' ', '{"a":1}', '{', '\ufeff', "'="),
    { maxLength: 60 },
  )
  .map((parts) => Buffer.from(parts.join('')));

t.test('a file read in pieces gives the rows of the file read at once', async (t) => {
  const formats = fc.constantFrom<RowFormat>(csv(1), csv(2), csv(3), { kind: 'ndjson' });
  const property = fc.property(
    formats,
    hostile,
    fc.array(fc.nat(100), { maxLength: 6 }),
    fc.integer({ min: 1, max: 5 }),
    (format, bytes, ends, limit) => {
      const whole = readRows(format, { bytes, atEnd: true }, start, 1_000);
      let cursor = start;
      const rows = [];
      for (const end of [
        ...ends.sort((left, right) => left - right),
        ...Array.from({ length: 100 }, () => bytes.length),
      ]) {
        const piece = bytes.subarray(cursor.offset, Math.max(cursor.offset, Math.min(end, bytes.length)));
        const read = readRows(format, { bytes: piece, atEnd: end >= bytes.length }, cursor, limit);
        rows.push(...read.rows);
        cursor = read.cursor;
      }
      t.same(rows, whole.rows);
      t.same({ ...cursor, encoding: null }, { ...whole.cursor, encoding: null });
      if (whole.cursor.offset !== bytes.length) throw new Error('not all of it was read');
    },
  );
  fc.assert(property, { numRuns: 500, endOnFailure: true });
});

t.test('what is written as CSV is read as it was, whatever stands in the cells', async (t) => {
  const cell = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('=1', "'=1", "''", '"', '\r', '\n', ';', '\t', '-', ' '),
  );
  const property = fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 8 }), (list) => {
    const bytes = Buffer.from(list.map((cells) => csvLine(cells, ';')).join(''));
    const { rows } = readRows(csv(2), { bytes, atEnd: true }, start, 1_000);
    const read = rows.map((row) => (row.kind === 'cells' ? row.cells.map(unguarded) : row));
    t.same(
      read,
      list.filter((cells) => cells.some((text) => text !== '')),
    );
  });
  fc.assert(property, { numRuns: 500, endOnFailure: true });
});
