import { and, eq, sql } from 'drizzle-orm';
import type { Db, Tx } from '../../db/client.ts';
import { idList } from '../../db/rows.ts';
import { recipients } from '../../db/tables/people.ts';
import { writeRecipientReference } from '../reference.ts';
import { relationNames } from '../relations.ts';
import type { RecipientWithAddresses } from '../store.ts';

/**
 * Recipients whose relations are `external:{type}:{externalId}` in the place of ids, which mean nothing in another
 * organisation. One query for any number.
 */
export async function withReferences(
  db: Db | Tx,
  tenantId: string,
  rows: readonly RecipientWithAddresses[],
): Promise<RecipientWithAddresses[]> {
  const related = new Set(rows.flatMap((row) => relationNames.map((name) => row[name]).filter((id) => id !== null)));
  if (related.size === 0) return [...rows];
  const found = await db
    .select({ id: recipients.id, type: recipients.type, externalId: recipients.externalId })
    .from(recipients)
    .where(and(eq(recipients.tenantId, tenantId), sql`${recipients.id} = any(${idList([...related])})`));
  const references = new Map(found.map((row) => [row.id, writeRecipientReference(row)]));
  const referenceOf = (id: string | null) => (id === null ? null : (references.get(id) ?? id));
  return rows.map((row) => ({
    ...row,
    ...Object.fromEntries(relationNames.map((name) => [name, referenceOf(row[name])])),
  }));
}
