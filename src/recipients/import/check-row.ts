import type { Static } from 'typebox';
import { AppError, type ErrorItem } from '../../errors.ts';
import type { FileRow } from '../../row-files/read-rows.ts';
import { compileCheck } from '../../schema-check.ts';
import { type RecipientAddress, readAddresses } from '../addresses/read-addresses.ts';
import type { Country } from '../addresses/telephone.ts';
import { checkAttributes } from '../change.ts';
import type { GivenRelations, RelationName } from '../relations.ts';
import { NewRecipient } from '../schema.ts';
import type { Column } from './columns.ts';
import { readCells } from './read-cells.ts';

/** What a row says of a recipient: the members that it gives, and no others. */
export interface GivenRecipient {
  type: string;
  externalId: string;
  fields: { displayName?: string | null; locale?: string | null; preferredChannel?: string | null };
  attributes: Record<string, unknown> | undefined;
  addresses: RecipientAddress[] | undefined;
  /** By place, whether a row leaves unsaid that contact by the address is accepted. */
  contactUnsaid: boolean[];
  /** Absent: it says nothing of them. */
  relations?: GivenRelations;
}

/** A row that can be kept, or why it cannot. */
export type CheckedRow = { kind: 'given'; given: GivenRecipient } | { kind: 'refused'; faults: readonly ErrorItem[] };

/** How the rows of one file are read. */
export interface RowReading {
  /** Empty: each row is a JSON object. */
  columns: readonly Column[];
  /** Of rows that have none. */
  type: string | null;
  /** Types that recipients may have. */
  knownTypes: ReadonlySet<string>;
  /** Where numbers without a country code are dialled. */
  country: Country;
}

const faultsOf = compileCheck(NewRecipient);

/** What the checks of a single recipient throw, as faults of a row. */
function faultsIn(check: () => void): readonly ErrorItem[] {
  try {
    check();
    return [];
  } catch (error) {
    if (error instanceof AppError) return error.items;
    throw error;
  }
}

/** Relations that a row speaks of; null: none. */
function givenOf(relations: { [Name in RelationName]: string | null | undefined }): GivenRelations | null {
  const given = Object.entries(relations).filter(([, value]) => value !== undefined);
  return given.length === 0 ? null : (Object.fromEntries(given) as GivenRelations);
}

function checkValue(value: Record<string, unknown>, reading: RowReading): CheckedRow {
  if (reading.type !== null && !('type' in value)) value.type = reading.type;
  const faults = faultsOf(value);
  if (faults.length > 0) return { kind: 'refused', faults };
  const { type, externalId, attributes, addresses, householdOf, referenceContactOf, partOf, ...fields } =
    value as Static<typeof NewRecipient>;
  if (!reading.knownTypes.has(type)) {
    // Not repeated: in a file whose columns were mixed up it may be anything.
    const message = 'is no recipient type of the organisation';
    return { kind: 'refused', faults: [{ pointer: '/type', code: 'recipient_type_unknown', message }] };
  }
  let read: RecipientAddress[] | undefined;
  const late = [
    ...faultsIn(() => attributes !== undefined && checkAttributes(attributes)),
    ...faultsIn(() => {
      if (addresses !== undefined) read = readAddresses(addresses, reading.country);
    }),
  ];
  if (late.length > 0) return { kind: 'refused', faults: late };
  const contactUnsaid = (addresses ?? []).map(({ acceptsContact }) => acceptsContact === undefined);
  const given = { type, externalId, fields, attributes, addresses: read, contactUnsaid };
  const relations = givenOf({ householdOf, referenceContactOf, partOf });
  return { kind: 'given', given: relations === null ? given : { ...given, relations } };
}

/** A fault of an address as the person sees it in the table: by its column. */
function byColumn({ pointer, ...fault }: ErrorItem, columns: readonly string[]): ErrorItem {
  const [, list, place, member] = pointer.split('/');
  const column = list === 'addresses' ? columns[Number(place)] : undefined;
  if (column === undefined) return { pointer: pointer.replace(/^\/attributes\/(?=.)/, '/attributes.'), ...fault };
  return { pointer: member === undefined || member === 'value' ? `/${column}` : `/${column}.${member}`, ...fault };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Checks a row of a file as a recipient that is created is checked; pointers are names of columns where it has them. */
export function checkRow(row: FileRow, reading: RowReading): CheckedRow {
  if (row.kind === 'fault') return { kind: 'refused', faults: row.faults };
  if (row.kind === 'value') {
    if (isObject(row.value)) return checkValue(row.value, reading);
    return { kind: 'refused', faults: [{ pointer: '', code: 'wrong_type', message: 'must be an object' }] };
  }
  const read = readCells(reading.columns, row.cells);
  const checked = checkValue(read.value, reading);
  if (checked.kind === 'given' && read.faults.length === 0) return checked;
  const faults = checked.kind === 'refused' ? checked.faults : [];
  return { kind: 'refused', faults: [...read.faults, ...faults.map((fault) => byColumn(fault, read.addressColumns))] };
}
