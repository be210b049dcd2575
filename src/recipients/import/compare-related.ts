import { sql } from 'drizzle-orm';
import type { Tx } from '../../db/client.ts';
import { findRecipients } from '../lookup.ts';
import { parseRecipientReference, writeRecipientReference } from '../reference.ts';
import { type RelationName, relationNames } from '../relations.ts';
import type { RecipientWithAddresses } from '../store.ts';
import type { GivenRecipient } from './check-row.ts';
import { applyRow, stateOf } from './compare.ts';

/** One text for the recipient that a row speaks of. */
export const keyOf = ({ type, externalId }: { type: string; externalId: string }): string =>
  `${type}\u0000${externalId}`;

/** What rows of one recipient would do. */
export interface ComparedRows {
  /** All of them say what is known already. */
  same: boolean;
  /** Rows that name somebody who is not there, with the relation and whom they name. */
  unknown: ReadonlyMap<GivenRecipient, UnknownRelation>;
}

/** A relation to somebody who is not there. */
export interface UnknownRelation {
  name: RelationName;
  /** `keyOf` whom it names; null: it is an id, which no import can make. */
  key: string | null;
}

function unknownRelation(name: RelationName, reference: string): UnknownRelation {
  const parsed = parseRecipientReference(reference);
  return { name, key: parsed?.kind === 'external' ? keyOf(parsed) : null };
}

type Found = ReadonlyMap<string, RecipientWithAddresses>;

function firstUnknown({ relations = {} }: GivenRecipient, found: Found): UnknownRelation | null {
  for (const name of relationNames) {
    const reference = relations[name];
    if (reference != null && !found.has(reference)) return unknownRelation(name, reference);
  }
  return null;
}

function isSame(rows: readonly GivenRecipient[], before: RecipientWithAddresses, found: Found): boolean {
  const state = stateOf(before);
  return rows.every((row) => {
    const { relations = {} } = row;
    const related = relationNames.every((name) => {
      const reference = relations[name];
      if (reference === undefined) return true;
      return reference === null ? before[name] === null : found.get(reference)?.id === before[name];
    });
    return related && applyRow(state, row) === state;
  });
}

/**
 * Compares rows that say whom their recipients belong to with what is known: two queries for any number, and nothing is
 * locked. A row that says nothing new needs no more than that.
 * @param rowsOf all rows of each recipient, by `keyOf`, in the order of the file.
 */
export async function compareRelated(
  tx: Tx,
  tenantId: string,
  rowsOf: ReadonlyMap<string, readonly GivenRecipient[]>,
): Promise<Map<string, ComparedRows>> {
  const named = [...rowsOf.values()].flatMap((rows) =>
    rows.flatMap((row) => [writeRecipientReference(row), ...Object.values(row.relations ?? {})]),
  );
  const found = await findRecipients(
    tx,
    tenantId,
    named.filter((reference) => reference !== null),
  );
  return new Map(
    [...rowsOf].map(([key, rows]) => {
      const [first] = rows;
      const before = first && found.get(writeRecipientReference(first));
      const unknown = new Map<GivenRecipient, UnknownRelation>();
      for (const row of rows) {
        const relation = firstUnknown(row, found);
        if (relation !== null) unknown.set(row, relation);
      }
      return [key, { same: before !== undefined && isSame(rows, before, found), unknown }];
    }),
  );
}

/**
 * Locks those of the recipients that exist until the end of the transaction, in the order of `upsertRecipients`: so that
 * rows that are kept one by one, in the order of the file, wait in no circle with another import.
 */
export async function lockInOrder(tx: Tx, tenantId: string, rows: readonly GivenRecipient[]): Promise<void> {
  const byKey = new Map(rows.map((row) => [keyOf(row), row]));
  const ordered = [...byKey].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, row]) => row);
  const keys = JSON.stringify(ordered.map(({ type, externalId }) => ({ type, external_id: externalId })));
  await tx.execute(sql`
    select 1 from rows from (json_to_recordset(${keys}::json) as (type text, external_id text))
      with ordinality as given(type, external_id, place)
    join recipients on recipients.tenant_id = ${tenantId} and recipients.type = given.type
      and recipients.external_id = given.external_id
    order by given.place for update of recipients`);
}
