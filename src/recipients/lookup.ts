import { and, eq, sql } from 'drizzle-orm';
import type { Db, Tx } from '../db/client.ts';
import { idList } from '../db/rows.ts';
import { recipients } from '../db/tables/people.ts';
import { parseRecipientReference, type RecipientReference } from './reference.ts';
import { type RecipientWithAddresses, withAddresses } from './store.ts';

export type { RecipientWithAddresses } from './store.ts';

/** One text for a reference: no type has a colon, so that two references never share it. */
function keyOf(reference: RecipientReference): string {
  return reference.kind === 'id' ? reference.id : `${reference.type}:${reference.externalId}`;
}

/**
 * Recipients by id or `external:{type}:{externalId}`, with their addresses, under the reference as it was given.
 * Those that do not exist are absent. Two queries for any number of references.
 */
export async function findRecipients(
  db: Db | Tx,
  tenantId: string,
  references: readonly string[],
): Promise<Map<string, RecipientWithAddresses>> {
  const wanted = new Map<string, RecipientReference>();
  for (const text of references) {
    const parsed = parseRecipientReference(text);
    if (parsed !== null) wanted.set(text, parsed);
  }
  if (wanted.size === 0) return new Map();
  const parsed = [...wanted.values()];
  const ids = parsed.flatMap((one) => (one.kind === 'id' ? [one.id] : []));
  const externals = parsed.flatMap((one) =>
    one.kind === 'external' ? [{ type: one.type, external_id: one.externalId }] : [],
  );
  const byId = sql`${recipients.id} = any(${idList(ids)})`;
  const byExternal = sql`(${recipients.type}, ${recipients.externalId}) in (
    select type, external_id from json_to_recordset(${JSON.stringify(externals)}::json) as wanted(type text, external_id text))`;
  const select = (where: typeof byId) =>
    db
      .select()
      .from(recipients)
      .where(and(eq(recipients.tenantId, tenantId), where));
  // Apart rather than with `or`, which would make PostgreSQL read the whole tenant.
  const named = ids.length === 0 ? [] : await select(byId);
  const known = externals.length === 0 ? [] : await select(byExternal);
  const rows = new Map([...named, ...known].map((row) => [row.id, row]));
  const found = new Map<string, RecipientWithAddresses>();
  for (const row of await withAddresses(db, tenantId, [...rows.values()])) {
    found.set(row.id, row);
    found.set(`${row.type}:${row.externalId}`, row);
  }
  return new Map(
    [...wanted].flatMap(([text, reference]) => {
      const row = found.get(keyOf(reference));
      return row === undefined ? [] : [[text, row] as const];
    }),
  );
}
