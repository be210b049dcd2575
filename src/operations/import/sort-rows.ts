import type { Tx } from '../../db/client.ts';
import type { ErrorItem } from '../../errors.ts';
import type { GivenRecipient } from '../../recipients/import/check-row.ts';
import {
  type ComparedRows,
  compareRelated,
  keyOf,
  type UnknownRelation,
} from '../../recipients/import/compare-related.ts';
import type { PlacedRow } from './waiting-rows.ts';

/** A row that was refused, and why. */
export interface RefusedRow {
  row: number;
  line: number;
  faults: readonly ErrorItem[];
}

/** A row that was checked. */
export type CheckedPlace = ({ kind: 'given' } & PlacedRow) | ({ kind: 'refused' } & RefusedRow);

/** Rows that one transaction takes, and how each is kept. */
export interface SortedRows {
  /** How many of those that were offered. */
  taken: number;
  refused: RefusedRow[];
  /** Those that can be kept, in the order of the file. */
  rows: PlacedRow[];
  wayOf(row: PlacedRow): RowWay;
}

/** How a row is kept. */
export type RowWay =
  /** With all others of its kind, in a few statements. */
  | { kind: 'bulk' }
  /** It says what is known already. */
  | { kind: 'unchanged' }
  /** By itself, as a single change. */
  | { kind: 'single' }
  /** It names somebody who is not there, nor among the rows that are taken. */
  | { kind: 'unknown'; relation: UnknownRelation };

/** Rows that are looked at before it is asked again whether there is room for more. */
const rowsPerLook = 50;
/** Rows that are kept one by one under the locks of one transaction: whoever waits for them waits for seconds at most. */
const singleRows = 150;

/** What is known of rows while they are looked at. */
interface Look {
  byKey: Map<string, GivenRecipient[]>;
  /** Of recipients that have a row which says whom they belong to. */
  compared: Map<string, ComparedRows>;
}

function wayOf({ byKey, compared }: Look, given: GivenRecipient): RowWay {
  const known = compared.get(keyOf(given));
  if (known === undefined) return { kind: 'bulk' };
  if (known.same) return { kind: 'unchanged' };
  const relation = known.unknown.get(given);
  if (relation === undefined || relation.key === null || byKey.has(relation.key)) return { kind: 'single' };
  return { kind: 'unknown', relation };
}

function countSingle(look: Look): number {
  const rows = [...look.compared.keys()].flatMap((key) => look.byKey.get(key) ?? []);
  return rows.filter((given) => wayOf(look, given).kind === 'single').length;
}

/** Compares again all rows of the recipients that the last rows speak of, where one says whom they belong to. */
async function compareLast(tx: Tx, tenantId: string, { byKey, compared }: Look, last: readonly PlacedRow[]) {
  const touched = new Map<string, GivenRecipient[]>();
  for (const { given } of last) {
    const key = keyOf(given);
    const rows = byKey.get(key) ?? [];
    if (rows.some(({ relations }) => relations !== undefined)) touched.set(key, rows);
  }
  if (touched.size === 0) return;
  for (const [key, result] of await compareRelated(tx, tenantId, touched)) compared.set(key, result);
}

/**
 * Takes as many of the rows as one transaction can keep: all of them, unless many have to be kept one by one. Reads, and
 * locks nothing.
 */
export async function sortRows<Row>(
  tx: Tx,
  tenantId: string,
  offered: readonly Row[],
  check: (row: Row) => CheckedPlace,
): Promise<SortedRows> {
  const look: Look = { byKey: new Map(), compared: new Map() };
  const rows: PlacedRow[] = [];
  const refused: RefusedRow[] = [];
  let taken = 0;
  while (taken < offered.length && countSingle(look) < singleRows) {
    // The process has others to serve.
    await new Promise((turn) => setImmediate(turn));
    const checked = offered.slice(taken, taken + rowsPerLook).map(check);
    taken += checked.length;
    const last: PlacedRow[] = [];
    for (const one of checked) {
      if (one.kind === 'refused') refused.push(one);
      else last.push(one);
    }
    for (const { given } of last) {
      const known = look.byKey.get(keyOf(given));
      if (known === undefined) look.byKey.set(keyOf(given), [given]);
      else known.push(given);
    }
    rows.push(...last);
    await compareLast(tx, tenantId, look, last);
  }
  return { taken, refused, rows, wayOf: ({ given }) => wayOf(look, given) };
}
