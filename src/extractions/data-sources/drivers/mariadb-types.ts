/** What MariaDB's types are among merge fields. */
import type { FieldInfo } from 'mariadb';
import { type SourceColumn, type SourceFault, sourceFault } from '../driver.ts';
import { readDateTime, readJson, readNumber } from '../values.ts';

/** How the values of a column are read; a value is never null here. */
interface ColumnReader extends SourceColumn {
  read(value: unknown): unknown;
}

type Reader = Omit<ColumnReader, 'name'>;

const text: Reader = { field: { type: 'string' }, read: (value) => value };
const integer: Reader = { field: { type: 'integer' }, read: (value) => readNumber(String(value)) };
const float: Reader = { field: { type: 'number' }, read: (value) => value };
const decimal: Reader = { field: { type: 'number' }, read: (value) => readNumber(String(value)) };
const time = (zone: '' | 'Z'): Reader => ({
  field: { type: 'string', format: 'date-time' },
  read: (value) => readDateTime(String(value), zone),
});

/** `tinyint(1)`, which is what `boolean` makes. In Liquid 0 would be true. */
const flag: Reader = {
  field: { type: 'boolean' },
  read: (value) => (value === 0 ? false : value === 1 ? true : readNumber(String(value))),
};

const readers: Record<string, Reader> = {
  TINY: integer,
  SHORT: integer,
  INT: integer,
  INT24: integer,
  BIGINT: integer,
  YEAR: integer,
  FLOAT: float,
  DOUBLE: float,
  DECIMAL: decimal,
  NEWDECIMAL: decimal,
  DATE: { field: { type: 'string', format: 'date' }, read: (value) => value },
  NEWDATE: { field: { type: 'string', format: 'date' }, read: (value) => value },
  DATETIME: time(''),
  DATETIME2: time(''),
  // The session's zone is UTC.
  TIMESTAMP: time('Z'),
  TIMESTAMP2: time('Z'),
  BIT: { field: { type: 'boolean' }, read: (value) => value },
};

/** Of bytes; numbers and dates have it too. */
const binaryCollation = 63;

/** Readers of the columns of a result, or the column that cannot be a field. */
export function readColumns(columns: readonly FieldInfo[]): ColumnReader[] | SourceFault {
  const found: ColumnReader[] = [];
  for (const column of columns) {
    const name = column.name();
    const type = String(column.type);
    const binary = /BLOB|STRING|VARCHAR|GEOMETRY/.test(type) && column.collation?.index === binaryCollation;
    if (binary || type === 'GEOMETRY') {
      return sourceFault('column_refused', { message: `the column ${JSON.stringify(name)} is of bytes` });
    }
    const reader = column.isDataTypeFormatJson()
      ? { field: { type: 'object' } as const, anyJson: true, read: (value: unknown) => readJson(String(value)) }
      : type === 'TINY' && column.columnLength === 1
        ? flag
        : (readers[type] ?? text);
    found.push({ name, ...reader });
  }
  return found;
}
