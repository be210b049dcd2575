/** Results of databases, brought together from their portions and held to what merge fields may be. */
import { isFieldName } from '../../merge-fields/shape.ts';
import { type SourceColumn, type SourceFault, type SourceRows, sourceFault } from './driver.ts';
import { linesBefore } from './sql-text.ts';
import { faultOfValue } from './values.ts';

/** Why columns cannot be merge fields: their names must be, and each be there once. Null: they can. */
export function faultOfColumns(names: readonly string[]): SourceFault | null {
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
export function addRows<Raw>(
  into: SourceRows,
  readers: readonly (SourceColumn & { read(value: NonNullable<Raw>): unknown })[],
  rows: readonly (Raw | null)[][],
  maximumRows: number,
): SourceFault | null {
  const wrong = faultOfColumns(readers.map(({ name }) => name));
  if (wrong !== null) return wrong;
  into.columns = readers.map(({ name, field }) => ({ name, field }));
  for (const raw of rows) {
    if (into.rows.length >= maximumRows) return sourceFault('too_many_rows');
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
  return null;
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
