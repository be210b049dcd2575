import { and, asc, desc, eq, lt, or, type SQL, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import { type Db, databaseError, type Tx } from '../db/client.ts';
import { idList, insertRows } from '../db/rows.ts';
import { recipientAddresses, recipients } from '../db/tables/people.ts';
import { choices } from '../db/tables/permissions.ts';
import { AppError, invalidField, notFound } from '../errors.ts';
import { recordAudit } from '../tenants/audit.ts';
import type { Actor } from '../tenants/rights.ts';
import { comparedForms, type GivenAddress, type RecipientAddress, readAddresses } from './addresses.ts';
import { parseRecipientReference } from './reference.ts';

type Deps = { clock: Clock; newId: NewId };

export type RecipientRow = typeof recipients.$inferSelect;

/** A recipient with the ways to reach them, in the caller's order. */
export type RecipientWithAddresses = RecipientRow & { addresses: RecipientAddress[] };

/** What callers say of a recipient. */
export interface RecipientFields {
  type: string;
  externalId: string;
  displayName: string | null;
  locale: string | null;
  preferredChannel: string | null;
  attributes: Record<string, unknown>;
  addresses: readonly GivenAddress[];
}

/** The recipient that a change is about, and the revision that was read (null: whatever is there). */
export interface RecipientTarget {
  tenantId: string;
  reference: string;
  actor: Actor;
  revision: number | null;
}

const attributesLimitBytes = 32_000;

/** @throws AppError `unprocessable` when they are too large to keep. */
export function checkAttributes(attributes: Record<string, unknown>): void {
  if (Buffer.byteLength(JSON.stringify(attributes)) <= attributesLimitBytes) return;
  throw invalidField('/attributes', 'too_large', `must be at most ${attributesLimitBytes} bytes as JSON`);
}

function taken({ type, externalId }: { type: string; externalId: string }): AppError {
  return new AppError('conflict', {
    detail: `A recipient of the type ${type} has the external id ${externalId} already.`,
  });
}

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

/** Locks the recipient until the end of the transaction. `share` is enough to keep it from being deleted. */
export async function lockRecipient(
  tx: Tx,
  tenantId: string,
  reference: string,
  strength: 'update' | 'share',
): Promise<RecipientRow | null> {
  const where = named(tenantId, reference);
  if (where === null) return null;
  const [row] = await tx.select().from(recipients).where(where).for(strength);
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

async function insertAddresses(tx: Tx, tenantId: string, recipientId: string, list: readonly RecipientAddress[]) {
  await insertRows(
    tx,
    recipientAddresses,
    list.map((address, position) => ({ tenantId, recipientId, position, ...address })),
  );
}

/** Null when the type and external id are taken. A concurrent insert of the same is waited for. */
async function insertRecipient(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  fields: RecipientFields,
): Promise<RecipientRow | null> {
  const { addresses, ...own } = fields;
  checkAttributes(own.attributes);
  const checked = readAddresses(addresses);
  const now = deps.clock.now();
  const id = deps.newId();
  const [row] = await tx
    .insert(recipients)
    .values({ tenantId, id, ...own, createdAt: now, updatedAt: now })
    .onConflictDoNothing({ target: [recipients.tenantId, recipients.type, recipients.externalId] })
    .returning();
  if (row === undefined) return null;
  await insertAddresses(tx, tenantId, id, checked);
  await recordAudit(deps, tx, { tenantId, actor, action: 'created', resourceType: 'recipient', resourceId: id });
  return row;
}

/**
 * Adds a recipient.
 * @throws AppError `conflict` when its type has the external id already; `unprocessable` for an address that is none.
 */
export async function createRecipient(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  fields: RecipientFields,
): Promise<RecipientRow> {
  const row = await insertRecipient(deps, tx, tenantId, actor, fields);
  if (row === null) throw taken(fields);
  return row;
}

async function changeLocked(
  deps: Deps,
  tx: Tx,
  before: RecipientRow,
  target: RecipientTarget,
  change: Partial<RecipientFields>,
): Promise<RecipientRow> {
  if (target.revision !== null && target.revision !== before.revision) throw new AppError('precondition_failed');
  const { addresses, ...own } = change;
  if (own.attributes !== undefined) checkAttributes(own.attributes);
  const checked = addresses === undefined ? null : readAddresses(addresses);
  const { tenantId, id } = before;
  const [row] = await tx
    .update(recipients)
    .set({ ...own, revision: sql`${recipients.revision} + 1`, updatedAt: deps.clock.now() })
    .where(and(eq(recipients.tenantId, tenantId), eq(recipients.id, id)))
    .returning()
    .catch((error: unknown) => {
      if (databaseError(error)?.code === '23505') throw taken({ ...before, ...own });
      throw error;
    });
  if (row === undefined) throw notFound();
  if (checked !== null) {
    await tx
      .delete(recipientAddresses)
      .where(and(eq(recipientAddresses.tenantId, tenantId), eq(recipientAddresses.recipientId, id)));
    await insertAddresses(tx, tenantId, id, checked);
  }
  const { actor } = target;
  const fields = Object.keys(change);
  await recordAudit(deps, tx, {
    tenantId,
    actor,
    action: 'updated',
    resourceType: 'recipient',
    resourceId: id,
    fields,
  });
  return row;
}

/**
 * Changes what is given; addresses and attributes are replaced as a whole. Messages that exist keep their address.
 * @throws AppError `not_found`, `precondition_failed`, `conflict`, `unprocessable`.
 */
export async function updateRecipient(
  deps: Deps,
  tx: Tx,
  target: RecipientTarget,
  change: Partial<RecipientFields>,
): Promise<RecipientRow> {
  const before = await lockRecipient(tx, target.tenantId, target.reference, 'update');
  if (before === null) throw notFound();
  return changeLocked(deps, tx, before, target, change);
}

/**
 * Makes a recipient what is given, whole. One that is named by its external reference is made when it is not there,
 * unless `mustExist` (an `If-Match` was sent).
 * @throws AppError `not_found` for an unknown id, `precondition_failed`, `conflict`, `unprocessable`.
 */
export async function putRecipient(
  deps: Deps,
  tx: Tx,
  target: RecipientTarget & { mustExist: boolean },
  content: Omit<RecipientFields, 'type' | 'externalId'> & { type?: string; externalId?: string },
): Promise<{ row: RecipientRow; created: boolean }> {
  const reference = parseRecipientReference(target.reference);
  if (reference === null) throw notFound();
  if (reference.kind === 'external') {
    for (const name of ['type', 'externalId'] as const) {
      if ((content[name] ?? reference[name]) !== reference[name]) {
        throw invalidField(`/${name}`, 'reference_mismatch', 'must be that of the path');
      }
    }
  }
  // A second round: someone else may make or delete it between the two looks.
  for (let round = 1; round <= 3; round += 1) {
    const before = await lockRecipient(tx, target.tenantId, target.reference, 'update');
    if (before !== null) return { row: await changeLocked(deps, tx, before, target, content), created: false };
    if (reference.kind === 'id') throw notFound();
    if (target.mustExist) throw new AppError('precondition_failed');
    const { type, externalId } = reference;
    const row = await insertRecipient(deps, tx, target.tenantId, target.actor, { ...content, type, externalId });
    if (row !== null) return { row, created: true };
  }
  throw new AppError('conflict', { detail: 'It is being made and deleted by others at this moment.' });
}

/** Deletes a recipient with addresses and choices. Their messages stay. @throws AppError `not_found`. */
export async function deleteRecipient(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  reference: string,
): Promise<void> {
  const row = await lockRecipient(tx, tenantId, reference, 'update');
  if (row === null) throw notFound();
  const { id } = row;
  for (const table of [recipientAddresses, choices]) {
    await tx.delete(table).where(and(eq(table.tenantId, tenantId), eq(table.recipientId, id)));
  }
  await tx.delete(recipients).where(and(eq(recipients.tenantId, tenantId), eq(recipients.id, id)));
  await recordAudit(deps, tx, { tenantId, actor, action: 'deleted', resourceType: 'recipient', resourceId: id });
}

function reachedBy(tenantId: string, address: string): SQL {
  const forms = comparedForms(address).map(({ kind, normalized }) =>
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
        filter.address === undefined ? undefined : reachedBy(tenantId, filter.address),
      ),
    )
    .orderBy(desc(recipients.id))
    .limit(page.limit);
  return withAddresses(db, tenantId, rows);
}
