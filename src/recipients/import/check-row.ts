import type { Static } from 'typebox';
import { AppError, type ErrorItem } from '../../errors.ts';
import type { FileRow } from '../../row-files/read-rows.ts';
import { compileCheck } from '../../schema-check.ts';
import { type RecipientAddress, readAddresses } from '../addresses.ts';
import { NewRecipient } from '../schema.ts';
import { checkAttributes } from '../store.ts';
import { type Column, references } from './columns.ts';
import { readCells } from './read-cells.ts';

/** What a row says of a recipient: the members that it gives, and no others. */
export interface GivenRecipient {
  type: string;
  externalId: string;
  fields: { displayName?: string | null; locale?: string | null; preferredChannel?: string | null };
  attributes: Record<string, unknown> | undefined;
  addresses: RecipientAddress[] | undefined;
}

/** A row that can be kept, or why it cannot. */
export type CheckedRow = { kind: 'given'; given: GivenRecipient } | { kind: 'refused'; faults: readonly ErrorItem[] };

/** How the rows of one file are read. */
export interface RowReading {
  /** Empty: each row is a JSON object. */
  columns: readonly Column[];
  /** Of rows that have none. */
  type: string | null;
  /** Types that recipients may have; null: any. */
  knownTypes: ReadonlySet<string> | null;
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

/** The seam for members that name other recipients: they are known, and not yet kept by an import. */
function referenceFaults(value: Record<string, unknown>): ErrorItem[] {
  const message = 'is not kept by an import';
  return references
    .filter((name) => name in value)
    .map((name) => ({ pointer: `/${name}`, code: 'not_supported', message }));
}

function checkValue(value: Record<string, unknown>, reading: RowReading): CheckedRow {
  if (reading.type !== null && !('type' in value)) value.type = reading.type;
  const early = referenceFaults(value);
  for (const { pointer } of early) delete value[pointer.slice(1)];
  const faults = [...early, ...faultsOf(value)];
  if (faults.length > 0) return { kind: 'refused', faults };
  const { type, externalId, attributes, addresses, ...fields } = value as Static<typeof NewRecipient>;
  if (reading.knownTypes !== null && !reading.knownTypes.has(type)) {
    return {
      kind: 'refused',
      faults: [{ pointer: '/type', code: 'type_unknown', message: 'is not a type that exists' }],
    };
  }
  let read: RecipientAddress[] | undefined;
  const late = [
    ...faultsIn(() => attributes !== undefined && checkAttributes(attributes)),
    ...faultsIn(() => {
      if (addresses !== undefined) read = readAddresses(addresses);
    }),
  ];
  if (late.length > 0) return { kind: 'refused', faults: late };
  return { kind: 'given', given: { type, externalId, fields, attributes, addresses: read } };
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
