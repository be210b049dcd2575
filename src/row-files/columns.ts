import { AppError, type ErrorItem } from '../errors.ts';
import { readCsvRecord, type Separator, separators, textOf } from './csv-record.ts';
import { decoders, markOf, type RowEncoding, recogniseEncoding } from './encoding.ts';

/** The first line of a CSV file. */
export interface Header {
  separator: Separator;
  names: string[];
  encoding: RowEncoding | null;
  /** Where its rows begin: in bytes, and in lines. */
  offset: number;
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

/**
 * Reads the header of a CSV file. Cells are separated by what separates most of the header: `;`, a comma or a tab.
 * @param beginning of the file: all of it, or more than the longest row.
 * @throws AppError `unprocessable`: there is no header, or it is broken.
 */
export function readHeader(beginning: Buffer, atEnd: boolean): Header {
  const start = markOf(beginning) === 'utf-8' ? 3 : 0;
  const encoding = start > 0 ? 'utf-8' : recogniseEncoding(beginning, atEnd);
  const found = separators.map((separator) => ({
    separator,
    record: readCsvRecord(beginning, start, separator, atEnd),
  }));
  const [best] = found.sort(
    (left, right) =>
      (right.record.kind === 'cells' ? right.record.cells.length : 0) -
      (left.record.kind === 'cells' ? left.record.cells.length : 0),
  );
  if (best === undefined || best.record.kind === 'partial') {
    throw refusedFile('header_too_long', 'The first line, which names the columns, is too long.');
  }
  if (best.record.kind === 'fault') throw refusedFile(best.record.code, `The header ${best.record.message}.`);
  const { cells, next, breaks } = best.record;
  const names = cells.map((cell) => textOf(beginning, cell, decoders[encoding ?? 'ascii']).trim());
  if (names.every((name) => name === '')) throw refusedFile('header_missing', 'The first line must name the columns.');
  if (cells.length > columnsAtMost) throw refusedFile('too_many', `There are more than ${columnsAtMost} columns.`);
  return { separator: best.separator, names, encoding, offset: next, line: 1 + breaks };
}

/** Columns that have a name twice, or letters that no name has. */
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
