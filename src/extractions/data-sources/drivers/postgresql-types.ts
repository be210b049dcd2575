/** What PostgreSQL's types are among merge fields (`pg_type.dat`; these numbers never change). */
import { type SourceColumn, type SourceFault, sourceFault } from '../driver.ts';
import { readDateTime, readFloat, readJson, readNumber } from '../values.ts';

/** How the values of a column are read; a value is never null here. */
export interface ColumnReader extends SourceColumn {
  read(text: string): unknown;
}

type Reader = Omit<ColumnReader, 'name'>;

const text: Reader = { field: { type: 'string' }, read: (value) => value };
const integer: Reader = { field: { type: 'integer' }, read: readNumber };
const json: Reader = { field: { type: 'object' }, anyJson: true, read: readJson };

const readers: Record<number, Reader> = {
  16: { field: { type: 'boolean' }, read: (value) => value === 't' },
  20: integer,
  21: integer,
  23: integer,
  26: integer,
  114: json,
  700: { field: { type: 'number' }, read: readFloat },
  701: { field: { type: 'number' }, read: readFloat },
  // Padded to its length: the blanks mean nothing.
  1042: { field: { type: 'string' }, read: (value) => value.trimEnd() },
  1082: { field: { type: 'string', format: 'date' }, read: (value) => value },
  1114: { field: { type: 'string', format: 'date-time' }, read: (value) => readDateTime(value, '') },
  1184: { field: { type: 'string', format: 'date-time' }, read: (value) => readDateTime(value, 'Z') },
  1700: { field: { type: 'number' }, read: readNumber },
  3802: json,
};

const bytes = 17;
const lists = [1000, 1005, 1007, 1009, 1014, 1015, 1016, 1021, 1022, 1115, 1182, 1185, 1231, 2951];

/** Readers of the columns of a result, or the column that cannot be a field. */
export function readColumns(columns: readonly { name: string; dataTypeID: number }[]): ColumnReader[] | SourceFault {
  const found: ColumnReader[] = [];
  for (const { name, dataTypeID: type } of columns) {
    const why =
      type === bytes ? 'is of bytes' : lists.includes(type) ? 'is a list: give it as JSON, with to_json()' : null;
    if (why !== null) return sourceFault('column_refused', { message: `the column ${JSON.stringify(name)} ${why}` });
    found.push({ name, ...(readers[type] ?? text) });
  }
  return found;
}
