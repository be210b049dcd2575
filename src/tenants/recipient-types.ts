import { and, asc, desc, eq, lt, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { recipients, recipientTypes } from '../db/tables/people.ts';
import { AppError, invalidField, notFound } from '../errors.ts';
import { recordAudit } from './audit.ts';
import type { Actor } from './rights.ts';

type Deps = { clock: Clock; newId: NewId };

export type RecipientTypeRow = typeof recipientTypes.$inferSelect;

/** What people may change of a type. */
export type RecipientTypeFields = Pick<RecipientTypeRow, 'title' | 'reachedThrough'>;

/** Types that an organisation begins with; it may change and delete them, and add its own. */
const firstTypes: readonly (RecipientTypeFields & { key: string })[] = [
  { key: 'client', title: 'Client', reachedThrough: 'own' },
  { key: 'student', title: 'Étudiant', reachedThrough: 'own' },
  { key: 'member', title: 'Adhérent', reachedThrough: 'own' },
  { key: 'dependant', title: 'Ayant droit', reachedThrough: 'own' },
  { key: 'provider', title: 'Prestataire', reachedThrough: 'own' },
  { key: 'structure', title: 'Structure', reachedThrough: 'own' },
  { key: 'company', title: 'Entreprise', reachedThrough: 'contact-first' },
  { key: 'contact', title: 'Contact', reachedThrough: 'own' },
];

/** Gives a new organisation its first types. */
export async function addFirstRecipientTypes(deps: Deps, tx: Tx, tenantId: string): Promise<void> {
  const now = deps.clock.now();
  const rows = firstTypes.map((type) => ({ tenantId, id: deps.newId(), ...type, createdAt: now, updatedAt: now }));
  await tx.insert(recipientTypes).values(rows);
}

/** Adds a type. @throws AppError `conflict` when the key is taken. */
export async function createRecipientType(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  type: RecipientTypeFields & { key: string },
): Promise<RecipientTypeRow> {
  const now = deps.clock.now();
  const [row] = await tx
    .insert(recipientTypes)
    .values({ tenantId, id: deps.newId(), ...type, createdAt: now, updatedAt: now })
    .onConflictDoNothing({ target: [recipientTypes.tenantId, recipientTypes.key] })
    .returning();
  if (row === undefined)
    throw new AppError('conflict', { detail: `A recipient type has the key ${type.key} already.` });
  const entry = { tenantId, actor, resourceType: 'recipient-type', resourceId: row.id };
  await recordAudit(deps, tx, { ...entry, action: 'created' });
  return row;
}

const ofTenant = (tenantId: string, id: string) =>
  and(eq(recipientTypes.tenantId, tenantId), eq(recipientTypes.id, id));

/** @throws AppError `not_found`. */
export async function getRecipientType(db: Db | Tx, tenantId: string, id: string): Promise<RecipientTypeRow> {
  const [row] = await db.select().from(recipientTypes).where(ofTenant(tenantId, id));
  if (row === undefined) throw notFound();
  return row;
}

/** Newest first. */
export function listRecipientTypes(
  db: Db,
  tenantId: string,
  page: { limit: number; before: string | null },
  filter: { key?: string },
): Promise<RecipientTypeRow[]> {
  return db
    .select()
    .from(recipientTypes)
    .where(
      and(
        eq(recipientTypes.tenantId, tenantId),
        page.before === null ? undefined : lt(recipientTypes.id, page.before),
        filter.key === undefined ? undefined : eq(recipientTypes.key, filter.key),
      ),
    )
    .orderBy(desc(recipientTypes.id))
    .limit(page.limit);
}

/** Where recipients of each type are written to, by key. */
export async function readReachedThrough(
  db: Db | Tx,
  tenantId: string,
): Promise<Map<string, RecipientTypeRow['reachedThrough']>> {
  const rows = await db
    .select({ key: recipientTypes.key, reachedThrough: recipientTypes.reachedThrough })
    .from(recipientTypes)
    .where(eq(recipientTypes.tenantId, tenantId))
    .orderBy(asc(recipientTypes.key));
  return new Map(rows.map(({ key, reachedThrough }) => [key, reachedThrough]));
}

/** Holds a type until the end of the transaction. @throws AppError `unprocessable` at `/type` when there is none. */
export async function holdRecipientType(tx: Tx, tenantId: string, key: string): Promise<void> {
  const [row] = await tx
    .select({ id: recipientTypes.id })
    .from(recipientTypes)
    .where(and(eq(recipientTypes.tenantId, tenantId), eq(recipientTypes.key, key)))
    .for('key share');
  if (row === undefined) throw invalidField('/type', 'recipient_type_unknown', `there is no recipient type ${key}`);
}

/** Holds all types until the end of the transaction. @returns their keys. */
export async function holdRecipientTypes(tx: Tx, tenantId: string): Promise<string[]> {
  const rows = await tx
    .select({ key: recipientTypes.key })
    .from(recipientTypes)
    .where(eq(recipientTypes.tenantId, tenantId))
    .orderBy(asc(recipientTypes.id))
    .for('key share');
  return rows.map(({ key }) => key);
}

/**
 * Changes a type. Recipients keep it: what is sent from now on goes by it.
 * @param target.revision the one that was read; null changes whatever is there.
 * @throws AppError `not_found`, `precondition_failed`.
 */
export async function updateRecipientType(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor; revision: number | null },
  change: Partial<RecipientTypeFields>,
): Promise<RecipientTypeRow> {
  const { tenantId, id, actor, revision } = target;
  const [row] = await tx
    .update(recipientTypes)
    .set({ ...change, revision: sql`${recipientTypes.revision} + 1`, updatedAt: deps.clock.now() })
    .where(and(ofTenant(tenantId, id), revision === null ? undefined : eq(recipientTypes.revision, revision)))
    .returning();
  if (row === undefined) {
    await getRecipientType(tx, tenantId, id);
    throw new AppError('precondition_failed');
  }
  const entry = { tenantId, actor, resourceType: 'recipient-type', resourceId: id };
  await recordAudit(deps, tx, { ...entry, action: 'updated', fields: Object.keys(change) });
  return row;
}

/** Deletes a type that no recipient has. @throws AppError `not_found`, `in_use`. */
export async function deleteRecipientType(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  id: string,
): Promise<void> {
  const [row] = await tx.delete(recipientTypes).where(ofTenant(tenantId, id)).returning();
  if (row === undefined) throw notFound();
  // Behind the deletion: whoever makes one at this moment holds the type, and was waited for.
  const [used] = await tx
    .select({ id: recipients.id })
    .from(recipients)
    .where(and(eq(recipients.tenantId, tenantId), eq(recipients.type, row.key)))
    .limit(1);
  if (used !== undefined) throw new AppError('in_use', { detail: `Recipients have the type ${row.key}.` });
  await recordAudit(deps, tx, { tenantId, actor, action: 'deleted', resourceType: 'recipient-type', resourceId: id });
}
