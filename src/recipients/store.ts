import { and, asc, desc, eq, lt, or, type SQL, sql } from 'drizzle-orm';
import type { Db, Tx } from '../db/client.ts';
import { idList } from '../db/rows.ts';
import { recipientAddresses, recipients } from '../db/tables/people.ts';
import { notFound } from '../errors.ts';
import type { RecipientAddress } from './addresses/read-addresses.ts';
import { tenantForms } from './addresses/tenant-addresses.ts';
import { parseRecipientReference } from './reference.ts';

export type RecipientRow = typeof recipients.$inferSelect;

/** A recipient with the ways to reach them, in the caller's order. */
export type RecipientWithAddresses = RecipientRow & { addresses: RecipientAddress[] };

/** Adds their addresses to recipients: one query for any number. */
export async function withAddresses(
  db: Db | Tx,
  tenantId: string,
  rows: readonly RecipientRow[],
): Promise<RecipientWithAddresses[]> {
  if (rows.length === 0) return [];
  const kept = await db
    .select()
    .from(recipientAddresses)
    .where(
      and(
        eq(recipientAddresses.tenantId, tenantId),
        sql`${recipientAddresses.recipientId} = any(${idList(rows.map(({ id }) => id))})`,
      ),
    )
    .orderBy(asc(recipientAddresses.recipientId), asc(recipientAddresses.position));
  const byRecipient = Map.groupBy(kept, ({ recipientId }) => recipientId);
  return rows.map((row) => ({
    ...row,
    addresses: (byRecipient.get(row.id) ?? []).map(
      ({ tenantId: _tenantId, recipientId: _recipientId, position: _position, ...address }) => address,
    ),
  }));
}

/** Null: the text is no reference, so that nobody has it. */
function named(tenantId: string, reference: string): SQL | null {
  const parsed = parseRecipientReference(reference);
  if (parsed === null) return null;
  const own = eq(recipients.tenantId, tenantId);
  if (parsed.kind === 'id') return and(own, eq(recipients.id, parsed.id)) ?? null;
  return and(own, eq(recipients.type, parsed.type), eq(recipients.externalId, parsed.externalId)) ?? null;
}

/**
 * How a recipient is locked. `share` keeps it as it is; `change` lets others name it meanwhile as the one they belong to, so
 * that two changes of a household never wait for each other; `delete` does not.
 */
const lockStrengths = { share: 'share', change: 'no key update', delete: 'update' } as const;

/** Locks the recipient until the end of the transaction; null where there is none. */
export async function lockRecipient(
  tx: Tx,
  tenantId: string,
  reference: string,
  strength: keyof typeof lockStrengths,
): Promise<RecipientRow | null> {
  const where = named(tenantId, reference);
  if (where === null) return null;
  const [row] = await tx.select().from(recipients).where(where).for(lockStrengths[strength]);
  return row ?? null;
}

/** By id or external reference. @throws AppError `not_found`. */
export async function getRecipient(db: Db | Tx, tenantId: string, reference: string): Promise<RecipientWithAddresses> {
  const where = named(tenantId, reference);
  const rows = where === null ? [] : await db.select().from(recipients).where(where);
  const [recipient] = await withAddresses(db, tenantId, rows);
  if (recipient === undefined) throw notFound();
  return recipient;
}

async function reachedBy(db: Db, tenantId: string, address: string): Promise<SQL> {
  const forms = (await tenantForms(db, tenantId, address)).map(({ kind, normalized }) =>
    and(eq(recipientAddresses.kind, kind), eq(recipientAddresses.normalized, normalized)),
  );
  if (forms.length === 0) return sql`false`;
  return sql`${recipients.id} in (select ${recipientAddresses.recipientId} from ${recipientAddresses}
    where ${and(eq(recipientAddresses.tenantId, tenantId), or(...forms))})`;
}

/** Newest first. */
export async function listRecipients(
  db: Db,
  tenantId: string,
  page: { limit: number; before: string | null },
  filter: { type?: string; externalId?: string; address?: string },
): Promise<RecipientWithAddresses[]> {
  const rows = await db
    .select()
    .from(recipients)
    .where(
      and(
        eq(recipients.tenantId, tenantId),
        page.before === null ? undefined : lt(recipients.id, page.before),
        filter.type === undefined ? undefined : eq(recipients.type, filter.type),
        filter.externalId === undefined ? undefined : eq(recipients.externalId, filter.externalId),
        filter.address === undefined ? undefined : await reachedBy(db, tenantId, filter.address),
      ),
    )
    .orderBy(desc(recipients.id))
    .limit(page.limit);
  return withAddresses(db, tenantId, rows);
}
