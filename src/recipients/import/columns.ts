import type { ErrorItem } from '../../errors.ts';
import { doubtfulNames, refuseColumns } from '../../row-files/columns.ts';
import { addressKinds } from '../addresses/address-kinds.ts';
import type { AddressKind } from '../addresses/read-addresses.ts';
import { relationNames } from '../relations.ts';
import { attributeNameMost, roleMost } from '../schema.ts';

const fields = ['type', 'externalId', 'displayName', 'locale', 'preferredChannel', ...relationNames] as const;
const modifiers = ['preferred', 'acceptsContact'] as const;

/** What one column of a file gives. */
export type Column =
  | { kind: 'field'; name: (typeof fields)[number] }
  | { kind: 'attribute'; name: string }
  /** All of them as one JSON value. */
  | { kind: 'json'; name: 'attributes' | 'addresses' }
  | { kind: 'address'; header: string; addressKind: AddressKind; role: string | null }
  | { kind: 'modifier'; header: string; of: string; name: (typeof modifiers)[number] }
  /** A column without a name, as spreadsheets leave them behind. */
  | { kind: 'none' };

function addressColumn(header: string): Column | null {
  const [kind = '', ...rest] = header.split('.');
  const addressKind = addressKinds.find((known) => known === kind);
  if (addressKind === undefined) return null;
  const last = modifiers.find((known) => known === rest.at(-1));
  if (last !== undefined) return { kind: 'modifier', header, of: header.slice(0, -last.length - 1), name: last };
  const role = rest.length === 0 ? null : rest.join('.');
  if (role !== null && (role === '' || role.length > roleMost)) return null;
  return { kind: 'address', header, addressKind, role };
}

/** What a header stands for; null: nothing that is known. */
export function columnOf(header: string): Column | null {
  if (header === '') return { kind: 'none' };
  const field = fields.find((known) => known === header);
  if (field !== undefined) return { kind: 'field', name: field };
  if (header === 'attributes' || header === 'addresses') return { kind: 'json', name: header };
  return header.startsWith('attributes.') ? attributeColumn(header.slice('attributes.'.length)) : addressColumn(header);
}

/** Names that no attribute can have are not columns either. */
function attributeColumn(name: string): Column | null {
  if (name === '' || name === '__proto__' || name.length > attributeNameMost || name.includes('\u0000')) return null;
  return { kind: 'attribute', name };
}

/**
 * Reads the columns of a file of recipients.
 * @param options.type whether the caller says the type of rows that have none.
 * @throws AppError `unprocessable` naming every column that is unknown, missing, or there twice.
 */
export function recipientColumns(names: readonly string[], options: { type: boolean }): Column[] {
  const columns = names.map(columnOf);
  const faults: ErrorItem[] = names.flatMap((name, place) =>
    columns[place] === null ? [{ pointer: `/${name}`, code: 'column_unknown', message: 'is not known' }] : [],
  );
  const known = columns.filter((column) => column !== null);
  for (const name of options.type ? (['externalId'] as const) : (['type', 'externalId'] as const)) {
    if (names.includes(name)) continue;
    const message = name === 'type' ? 'is missing, and the query has no type' : 'is missing';
    faults.push({ pointer: `/${name}`, code: 'column_missing', message });
  }
  for (const column of known) {
    if (column.kind !== 'modifier' || names.includes(column.of)) continue;
    const message = `speaks of the column ${column.of}, which is missing`;
    faults.push({ pointer: `/${column.header}`, code: 'column_missing', message });
  }
  refuseColumns([...faults, ...doubtfulNames(names)]);
  return known;
}
