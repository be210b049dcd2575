/** Results of databases, brought together from their portions and held to what merge fields may be. */
import { isFieldName } from '../../merge-fields/shape.ts';
import {
  batchesOf,
  type SourceColumn,
  type SourceFault,
  type SourceQuestion,
  type SourceRows,
  sourceFault,
} from './driver.ts';
import { portionsOf } from './portions.ts';
import { linesBefore } from './sql-text.ts';
import { faultOfValue } from './values.ts';

/** What a person can still look through, as in the fields of an extraction. */
const columnsAtMost = 1_000;
/** Rows and columns take memory by their number, whatever comes over the wire: a null is a bit there. */
const cellsAtMost = 2_000_000;

/** Most rows of so many columns that are held at once. */
const rowsAtMost = (columns: number): number => Math.floor(cellsAtMost / Math.max(1, columns));

/** Why there are too many columns, or too many rows of them; null: there are not. */
export function faultOfSize(columns: number, rows: number): SourceFault | null {
  if (columns > columnsAtMost) {
    return sourceFault('too_large', { message: `the result has more than ${columnsAtMost} columns` });
  }
  if (rows <= rowsAtMost(columns)) return null;
  return sourceFault('too_large', {
    message: `the result has more than ${cellsAtMost} values, with those that are null`,
  });
}

/** Why columns cannot be merge fields: their names must be, and each be there once. Null: they can. */
export function faultOfColumns(names: readonly string[]): SourceFault | null {
  const tooMany = faultOfSize(names.length, 0);
  if (tooMany !== null) return tooMany;
  const seen = new Set<string>();
  for (const name of names) {
    const why =
      !isFieldName(name) || name === '__proto__'
        ? 'cannot be the name of a merge field'
        : seen.has(name)
          ? 'is there twice'
          : null;
    if (why !== null) {
      const shown = JSON.stringify(name.slice(0, 100));
      return sourceFault('column_refused', { message: `the column ${shown} ${why}: give it a name with "as"` });
    }
    seen.add(name);
  }
  return null;
}

/** Adds the rows of a portion, read by the readers of their columns. @returns what is wrong with one of them. */
export async function addRows<Raw>(
  into: SourceRows,
  readers: readonly (SourceColumn & { read(value: NonNullable<Raw>): unknown })[],
  rows: readonly (Raw | null)[][],
  maximumRows: number,
): Promise<SourceFault | null> {
  const wrong = faultOfColumns(readers.map(({ name }) => name));
  if (wrong !== null) return wrong;
  into.columns = readers.map(({ name, field, anyJson = false }) => ({ name, field, anyJson }));
  for await (const portion of portionsOf(rows, readers.length)) {
    for (const raw of portion) {
      if (into.rows.length >= maximumRows) return sourceFault('too_many_rows');
      const tooLarge = faultOfSize(readers.length, into.rows.length + 1);
      if (tooLarge !== null) return tooLarge;
      const row: unknown[] = [];
      for (const [index, reader] of readers.entries()) {
        const value = raw[index] ?? null;
        const read = value === null ? null : reader.read(value);
        const fault = faultOfValue(read);
        if (fault !== null) {
          return sourceFault('value_refused', {
            message: `a value of the column ${reader.name} cannot be used: ${fault}`,
          });
        }
        row.push(read);
      }
      into.rows.push(row);
    }
  }
  return null;
}

/** Most rows that the next portion may bring, and one more to tell that there are too many; none: only the columns. */
export function portionLimit({ maximumRows }: SourceQuestion, keys: readonly string[], into: SourceRows): number {
  if (keys.length === 0) return 0;
  return Math.min(maximumRows, rowsAtMost(into.columns.length)) + 1 - into.rows.length;
}

const keysAtOnce = 1_000;

/**
 * Asks a database in portions of keys. Its columns first, without rows: they say how many of them can be held.
 * @param read adds what some keys have; a fault ends it.
 */
export async function askInPortions(
  { keys }: SourceQuestion,
  read: (keys: readonly string[], into: SourceRows) => Promise<SourceFault | null>,
): Promise<SourceRows | SourceFault> {
  const into: SourceRows = { kind: 'rows', columns: [], rows: [] };
  const described = await read([], into);
  if (described !== null || keys.length === 0) return described ?? into;
  for (const portion of batchesOf(keys, keysAtOnce)) {
    const fault = await read(portion, into);
    if (fault !== null) return fault;
  }
  return into;
}

/** Its message tells of the query, its names and rights; that of any other class may hold a value. */
const tellsNoData = /^(42|0A|25|3D|3F|54)/;

/** What an SQLSTATE means here. @param error.line of the wrapped query, from 1; null: not told. */
export function databaseFault(error: { sqlState: string; message: string; line: number | null }): SourceFault {
  const { sqlState, message } = error;
  const code = /^(28|3D000)/.test(sqlState)
    ? 'login_refused'
    : /^53/.test(sqlState)
      ? 'busy'
      : /^(08|57P|25P03)/.test(sqlState)
        ? 'unreachable'
        : /^(57014|55P03)/.test(sqlState)
          ? 'query_timeout'
          : 'query_refused';
  if (code !== 'query_refused') return sourceFault(code, { sqlState });
  const { line } = error;
  const told = tellsNoData.test(sqlState) ? { message: message.slice(0, 500) } : {};
  return sourceFault(code, { sqlState, ...told, line: line === null ? null : Math.max(1, line - linesBefore) });
}
