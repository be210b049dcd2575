import { AppError, type ErrorItem } from '../errors.ts';
import { readCsvRecord, type Separator, separators, textOf } from './csv-record.ts';
import { decoders, markOf, type RowEncoding, recogniseEncoding } from './encoding.ts';

/** The line of a CSV file that names its columns. */
export interface Header {
  separator: Separator;
  names: string[];
  encoding: RowEncoding | null;
  /** Where its rows begin: in bytes, in rows as a spreadsheet numbers them, and in lines. */
  offset: number;
  row: number;
  line: number;
}

/** More than any table that people make. */
const columnsAtMost = 500;

/** The file is refused as a whole: nothing of it is read. */
export function refusedFile(code: string, message: string, pointer = ''): AppError {
  return new AppError('unprocessable', { detail: message, items: [{ pointer, code, message }] });
}

/** The file is refused for its columns. @throws AppError `unprocessable`, when there is a fault. */
export function refuseColumns(faults: readonly ErrorItem[]): void {
  const [first] = faults;
  if (first === undefined) return;
  throw new AppError('unprocessable', {
    detail: `The column ${first.pointer.slice(1)} ${first.message}`,
    items: faults,
  });
}

/** What stands at the beginning of a file. */
interface Beginning {
  bytes: Buffer;
  atEnd: boolean;
  /** Those that may separate its cells: one, where the file says so. */
  separators: readonly Separator[];
}

/** The line at a place, split by what separates most of it. @throws AppError `unprocessable`: it is broken. */
function readLine({ bytes, atEnd, separators: known }: Beginning, start: number) {
  const found = known.map((separator) => ({ separator, record: readCsvRecord(bytes, start, separator, atEnd) }));
  const [best] = found.sort(
    (left, right) =>
      (right.record.kind === 'cells' ? right.record.cells.length : 0) -
      (left.record.kind === 'cells' ? left.record.cells.length : 0),
  );
  if (best === undefined || best.record.kind === 'partial') {
    throw refusedFile('header_too_long', 'The first line, which names the columns, is too long.');
  }
  if (best.record.kind === 'fault') throw refusedFile(best.record.code, `The header ${best.record.message}.`);
  return { separator: best.separator, ...best.record };
}

/** A line by which Excel is told the separator, and which it does not show. */
const separatorLine = /^"?sep=([^"\r\n])"?[;,\t]*(?:\r\n|\r|\n)/i;

/** @returns the separator that the file names, and where the line after it begins; null: it names none. */
function readSeparatorLine(bytes: Buffer, start: number): { separator: Separator; offset: number } | null {
  const [line, named] = separatorLine.exec(bytes.toString('latin1', start, start + 64)) ?? [];
  if (line === undefined) return null;
  const separator = separators.find((known) => known === named);
  if (separator === undefined) {
    throw refusedFile('separator_unknown', 'The file names a separator that is not known: it can be ; or , or a tab.');
  }
  return { separator, offset: start + line.length };
}

/**
 * Reads the header of a CSV file: its first line that is not blank, behind `sep=;` where there is that. Cells are
 * separated by what that line says, or else by what separates most of the header: `;`, a comma or a tab.
 * @param beginning of the file: all of it, or more than the longest row.
 * @throws AppError `unprocessable`: there is no header, or it is broken.
 */
export function readHeader(beginning: Buffer, atEnd: boolean): Header {
  const start = markOf(beginning) === 'utf-8' ? 3 : 0;
  const encoding = start > 0 ? 'utf-8' : recogniseEncoding(beginning, atEnd);
  const told = readSeparatorLine(beginning, start);
  const file = { bytes: beginning, atEnd, separators: told === null ? separators : [told.separator] };
  let at = told?.offset ?? start;
  // A spreadsheet does not count the line that tells the separator.
  let row = 1;
  let line = told === null ? 1 : 2;
  while (at < beginning.length) {
    const { separator, cells, next, breaks } = readLine(file, at);
    const names = cells.map((cell) => textOf(beginning, cell, decoders[encoding ?? 'ascii']).trim());
    at = next;
    row += 1;
    line += breaks;
    if (names.every((name) => name === '')) continue;
    if (cells.length > columnsAtMost) throw refusedFile('too_many', `There are more than ${columnsAtMost} columns.`);
    return { separator, names, encoding, offset: at, row, line };
  }
  throw refusedFile('header_missing', 'The first line must name the columns.');
}

/** Columns that have a name twice. */
export function doubtfulNames(names: readonly string[]): ErrorItem[] {
  return names.flatMap((name, place) => {
    if (name === '' || names.indexOf(name) === place) return [];
    return [{ pointer: `/${name}`, code: 'column_twice', message: 'is there twice' }];
  });
}

const truths: ReadonlyMap<string, boolean> = new Map([
  ...['oui', 'vrai', 'true', 'yes', '1', 'x'].map((word) => [word, true] as const),
  ...['non', 'faux', 'false', 'no', '0'].map((word) => [word, false] as const),
]);

/** Yes or no as French and English spreadsheets write it; undefined: neither. */
export function readTruth(cell: string): boolean | undefined {
  return truths.get(cell.trim().toLowerCase());
}
