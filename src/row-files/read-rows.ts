import { AppError, type ErrorItem } from '../errors.ts';
import { parseStrictJson } from '../strict-json.ts';
import { nextLine, readCsvRecord, type Separator, textOf } from './csv-record.ts';
import { decoders, isWrittenIn, type RowEncoding, recogniseEncoding } from './encoding.ts';

/** What a file of rows is made of. */
export type RowFormat =
  /** `transcoded`: it was UTF-16, where a letter that was damaged has become U+FFFD. */
  { kind: 'csv'; separator: Separator; columns: number; transcoded: boolean } | { kind: 'ndjson' };

/** Where reading goes on: all that another process needs. */
export interface RowCursor {
  /** In bytes. */
  offset: number;
  /** The number of the next row, as a spreadsheet shows it: the header is 1, and blank lines count. */
  row: number;
  /** The number of its first line, as an editor shows it. */
  line: number;
  /** The offset is inside a row that was too long: what is left of its line is passed over. */
  skipping: boolean;
  /** Null: all was ASCII so far. */
  encoding: RowEncoding | null;
}

/** A row of a file: its cells, its JSON value, or why it cannot be read. */
export type FileRow = { row: number; line: number } & (
  | { kind: 'cells'; cells: readonly string[] }
  | { kind: 'value'; value: unknown }
  | { kind: 'fault'; faults: readonly ErrorItem[] }
);

/** The longest row, its line breaks included. */
export const rowLimitBytes = 256 * 1024;

const openingBrace = 123;
const lineFeed = 10;
const carriageReturn = 13;
const lostLetter = Buffer.from('\ufffd');

type Found =
  | { kind: 'row'; content: { kind: 'cells'; cells: string[] } | { kind: 'value'; value: unknown } }
  | { kind: 'fault'; faults: readonly ErrorItem[] }
  | { kind: 'blank' };

type Record = { found: Found; next: number; breaks: number } | null;

interface Reading {
  bytes: Buffer;
  atEnd: boolean;
  encoding: RowEncoding | null;
}

const fault = (code: string, message: string, pointer = ''): Found => ({
  kind: 'fault',
  faults: [{ pointer, code, message }],
});

function foreign(encoding: RowEncoding): Found {
  const other =
    encoding === 'utf-8' ? 'is not UTF-8, as the rest of the file is' : 'is UTF-8 in a file of Windows-1252';
  return fault('encoding_mixed', `${other}: its letters cannot be told`);
}

function readCsv({ bytes, atEnd, encoding }: Reading, at: number, format: RowFormat & { kind: 'csv' }): Record {
  const { separator, columns, transcoded } = format;
  const record = readCsvRecord(bytes, at, separator, atEnd);
  if (record.kind === 'partial') return null;
  const { next, breaks } = record;
  if (record.kind === 'fault') return { found: fault(record.code, record.message), next, breaks };
  const { cells } = record;
  if (encoding !== null && !isWrittenIn(encoding, bytes.subarray(at, next))) {
    return { found: foreign(encoding), next, breaks };
  }
  if (transcoded && bytes.subarray(at, next).includes(lostLetter)) {
    return { found: fault('letter_lost', 'has a letter that is damaged in the file'), next, breaks };
  }
  if (cells.every(({ start, end }) => start === end)) return { found: { kind: 'blank' }, next, breaks };
  if (cells.length !== columns) {
    const message = `has ${cells.length} cells, and the header ${columns}`;
    return { found: fault('cell_count', message), next, breaks };
  }
  const decode = decoders[encoding ?? 'ascii'];
  const texts = cells.map((cell) => textOf(bytes, cell, decode));
  return { found: { kind: 'row', content: { kind: 'cells', cells: texts } }, next, breaks };
}

function readJson({ bytes, atEnd }: Reading, at: number): Record {
  const end = bytes.indexOf(lineFeed, at);
  if (end === -1 && !atEnd) return null;
  const next = end === -1 ? bytes.length : end + 1;
  const line = bytes.subarray(at, next);
  // JSON.parse takes the line's end, and the spaces around, as white space.
  if (
    line[0] !== openingBrace &&
    line.every((byte) => byte === lineFeed || byte === carriageReturn || byte === 32 || byte === 9)
  ) {
    return { found: { kind: 'blank' }, next, breaks: 1 };
  }
  try {
    return { found: { kind: 'row', content: { kind: 'value', value: parseStrictJson(line) } }, next, breaks: 1 };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    // The parser's own message shows a piece of the text.
    const faults =
      error.items.length > 0 ? error.items : [{ pointer: '', code: 'invalid_json', message: 'is not one JSON value' }];
    return { found: { kind: 'fault', faults }, next, breaks: 1 };
  }
}

/** The encoding of what comes next, where it is not known yet. */
function encodingOf(
  format: RowFormat,
  { bytes, atEnd }: { bytes: Buffer; atEnd: boolean },
  known: RowEncoding | null,
): RowEncoding | null {
  return format.kind === 'ndjson' ? 'utf-8' : (known ?? recogniseEncoding(bytes, atEnd));
}

const tooLong = fault('row_too_long', `is longer than ${rowLimitBytes} bytes, or has a quote that is never closed`);

/** Passes over what is left of a line. @returns where the next begins; -1: not in these bytes. */
function skipLine(format: RowFormat, bytes: Buffer, at: number, atEnd: boolean): number {
  const feed = bytes.indexOf(lineFeed, at);
  const next = format.kind === 'csv' ? nextLine(bytes, at) : feed === -1 ? -1 : feed + 1;
  return next === -1 && atEnd ? bytes.length : next;
}

/**
 * Reads rows out of a piece of a file. A row whose end is not in the piece is left for the next piece, unless it is
 * longer than a row may be: then it is a fault, and reading goes on with the line after its first.
 * @param piece `bytes` begin at the cursor's offset, and are more than `rowLimitBytes` unless the file ends with them.
 * @param limit rows at most; blank ones are not counted, and not answered.
 */
export function readRows(
  format: RowFormat,
  piece: { bytes: Buffer; atEnd: boolean },
  cursor: RowCursor,
  limit: number,
): { rows: FileRow[]; cursor: RowCursor } {
  const { bytes, atEnd } = piece;
  const encoding = encodingOf(format, piece, cursor.encoding);
  const reading = { bytes, atEnd, encoding };
  const rows: FileRow[] = [];
  let { row, line, skipping } = cursor;
  let at = 0;
  while (rows.length < limit && at < bytes.length) {
    if (skipping) {
      const next = skipLine(format, bytes, at, atEnd);
      at = next === -1 ? bytes.length : next;
      skipping = next === -1;
      continue;
    }
    const record = format.kind === 'csv' ? readCsv(reading, at, format) : readJson(reading, at);
    const size = (record?.next ?? bytes.length) - at;
    if (record === null && size <= rowLimitBytes) break;
    if (record === null || size > rowLimitBytes) {
      rows.push({ row, line, ...(tooLong as { kind: 'fault'; faults: ErrorItem[] }) });
      skipping = true;
      row += 1;
      line += 1;
      continue;
    }
    const { found } = record;
    if (found.kind === 'row') rows.push({ row, line, ...found.content });
    else if (found.kind === 'fault') rows.push({ row, line, ...found });
    at = record.next;
    row += 1;
    line += record.breaks;
  }
  return { rows, cursor: { offset: cursor.offset + at, row, line, skipping, encoding } };
}

/** Whether the last line of a file has no end while others have. @param cursor at the end of the file. */
export function endsOpen(bytes: Buffer, cursor: RowCursor): boolean {
  const last = bytes.at(-1);
  return last !== undefined && last !== lineFeed && last !== carriageReturn && cursor.line > 2;
}
