import { and, eq, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import { databaseError, type Tx } from '../db/client.ts';
import { insertRows } from '../db/rows.ts';
import { recipientAddresses, recipients, responses } from '../db/tables/people.ts';
import { choiceChanges, choices, consents } from '../db/tables/permissions.ts';
import { AppError, invalidField, notFound } from '../errors.ts';
import { recordAudit } from '../tenants/audit.ts';
import { holdRecipientType } from '../tenants/recipient-types.ts';
import type { Actor } from '../tenants/rights.ts';
import { type GivenAddress, keepRefusals, type RecipientAddress } from './addresses/read-addresses.ts';
import { readTenantAddresses } from './addresses/tenant-addresses.ts';
import { type BeforeLeaving, leavingRecord } from './leaving.ts';
import { handDown } from './permissions/hand-down.ts';
import { parseRecipientReference } from './reference.ts';
import { hasRelations, lockRelations, readRelations, refuseWhereRelated } from './relations.ts';
import { lockRecipient, type RecipientRow, withAddresses } from './store.ts';

type Deps = { clock: Clock; newId: NewId };
type ChangeDeps = Deps & { beforeLeaving: BeforeLeaving };

/** What callers say of a recipient. */
export interface RecipientFields {
  type: string;
  externalId: string;
  displayName: string | null;
  locale: string | null;
  preferredChannel: string | null;
  attributes: Record<string, unknown>;
  addresses: readonly GivenAddress[];
  /** References, or null for none; absent: none of a new recipient, unchanged of another. */
  householdOf?: string | null;
  referenceContactOf?: string | null;
  partOf?: string | null;
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
  const checked = await readTenantAddresses(tx, tenantId, addresses);
  await holdRecipientType(tx, tenantId, own.type);
  const relations = await readRelations(tx, tenantId, null, own);
  const now = deps.clock.now();
  const id = deps.newId();
  const [row] = await tx
    .insert(recipients)
    .values({ tenantId, id, ...own, ...relations, createdAt: now, updatedAt: now })
    .onConflictDoNothing({ target: [recipients.tenantId, recipients.type, recipients.externalId] })
    .returning();
  if (row === undefined) return null;
  await insertAddresses(tx, tenantId, id, checked);
  await recordAudit(deps, tx, { tenantId, actor, action: 'created', resourceType: 'recipient', resourceId: id });
  return row;
}

/**
 * Adds a recipient.
 * @throws AppError `conflict` when its type has the external id already; `unprocessable` for an address
 * that is none, a type that is not defined, or a relation (`readRelations`).
 */
export async function createRecipient(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  fields: RecipientFields,
): Promise<RecipientRow> {
  if (hasRelations(fields)) await lockRelations(tx, tenantId);
  const row = await insertRecipient(deps, tx, tenantId, actor, fields);
  if (row === null) throw taken(fields);
  return row;
}

async function addressesOf(tx: Tx, row: RecipientRow): Promise<readonly RecipientAddress[]> {
  const [kept] = await withAddresses(tx, row.tenantId, [row]);
  return kept?.addresses ?? [];
}

/** Addresses that replace those of a record. What is refused is not lost with those that go. */
async function readReplacing(
  { beforeLeaving }: ChangeDeps,
  tx: Tx,
  before: RecipientRow,
  actor: Actor,
  given: readonly GivenAddress[],
): Promise<RecipientAddress[]> {
  const { tenantId, id } = before;
  const read = await readTenantAddresses(tx, tenantId, given);
  const unsaid = given.map(({ acceptsContact }) => acceptsContact === undefined);
  const kept = await addressesOf(tx, before);
  await beforeLeaving(tx, { tenantId, actor }, [leavingRecord(id, kept, read)]);
  return keepRefusals(read, unsaid, kept);
}

async function changeLocked(
  deps: ChangeDeps,
  tx: Tx,
  before: RecipientRow,
  target: RecipientTarget,
  change: Partial<RecipientFields>,
): Promise<RecipientRow> {
  if (target.revision !== null && target.revision !== before.revision) throw new AppError('precondition_failed');
  const { addresses, ...own } = change;
  if (own.attributes !== undefined) checkAttributes(own.attributes);
  const { tenantId, id } = before;
  const checked = addresses === undefined ? null : await readReplacing(deps, tx, before, target.actor, addresses);
  if (own.type !== undefined && own.type !== before.type) await holdRecipientType(tx, tenantId, own.type);
  const relations = await readRelations(tx, tenantId, id, own);
  const { householdOf } = relations;
  if (before.householdOf !== null && householdOf !== undefined && householdOf !== before.householdOf) {
    await handDown(deps, tx, { tenantId, memberId: before.householdOf, personIds: [id] });
  }
  const [row] = await tx
    .update(recipients)
    .set({ ...own, ...relations, revision: sql`${recipients.revision} + 1`, updatedAt: deps.clock.now() })
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
  deps: ChangeDeps,
  tx: Tx,
  target: RecipientTarget,
  change: Partial<RecipientFields>,
): Promise<RecipientRow> {
  if (hasRelations(change)) await lockRelations(tx, target.tenantId);
  const before = await lockRecipient(tx, target.tenantId, target.reference, 'change');
  if (before === null) throw notFound();
  return changeLocked(deps, tx, before, target, change);
}

/**
 * Makes a recipient what is given, whole. One that is named by its external reference is made when it is not there,
 * unless `mustExist` (an `If-Match` was sent).
 * @throws AppError `not_found` for an unknown id, `precondition_failed`, `conflict`, `unprocessable`.
 */
export async function putRecipient(
  deps: ChangeDeps,
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
  if (hasRelations(content)) await lockRelations(tx, target.tenantId);
  // A second round: someone else may make or delete it between the two looks.
  for (let round = 1; round <= 3; round += 1) {
    const before = await lockRecipient(tx, target.tenantId, target.reference, 'change');
    if (before !== null) return { row: await changeLocked(deps, tx, before, target, content), created: false };
    if (reference.kind === 'id') throw notFound();
    if (target.mustExist) throw new AppError('precondition_failed');
    const { type, externalId } = reference;
    const row = await insertRecipient(deps, tx, target.tenantId, target.actor, { ...content, type, externalId });
    if (row !== null) return { row, created: true };
  }
  throw new AppError('conflict', { detail: 'It is being made and deleted by others at this moment.' });
}

/**
 * Deletes a recipient with addresses, choices, consents and responses. Their messages stay, and what they refused all mail
 * by is kept (`beforeLeaving`).
 * @throws AppError `not_found`, `in_use` while others follow them.
 */
export async function deleteRecipient(
  deps: ChangeDeps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  reference: string,
): Promise<void> {
  const row = await lockRecipient(tx, tenantId, reference, 'delete');
  if (row === null) throw notFound();
  const { id } = row;
  await refuseWhereRelated(tx, tenantId, id);
  await deps.beforeLeaving(tx, { tenantId, actor }, [leavingRecord(id, await addressesOf(tx, row), null)]);
  for (const table of [recipientAddresses, choices, choiceChanges, consents, responses]) {
    await tx.delete(table).where(and(eq(table.tenantId, tenantId), eq(table.recipientId, id)));
  }
  await tx.delete(recipients).where(and(eq(recipients.tenantId, tenantId), eq(recipients.id, id)));
  await recordAudit(deps, tx, { tenantId, actor, action: 'deleted', resourceType: 'recipient', resourceId: id });
}
