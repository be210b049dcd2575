import { and, desc, eq, lt, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import { idList } from '../../db/rows.ts';
import { responses } from '../../db/tables/people.ts';
import { invalidField, notFound } from '../../errors.ts';
import { recordAudit } from '../../tenants/audit.ts';
import type { Actor } from '../../tenants/rights.ts';
import { getRecipient, lockRecipient } from '../store.ts';

export type ResponseRow = typeof responses.$inferSelect;

/** What somebody was asked about. */
export interface ResponseContext {
  type: string;
  ref: string;
}

/** A response as callers give it. */
export interface GivenResponse {
  context: ResponseContext;
  /** Null: now. */
  answeredAt: Date | null;
  source: string | null;
}

/** Whose responses, and who changes them. */
export interface ResponseTarget {
  tenantId: string;
  reference: string;
  actor: Actor;
}

const ofContext = (tenantId: string, { type, ref }: ResponseContext) =>
  and(eq(responses.tenantId, tenantId), eq(responses.contextType, type), eq(responses.contextRef, ref));

/**
 * Keeps that somebody answered, once for each context: a repeat changes nothing, whenever it says they answered.
 * @returns the first one, and whether it was made now.
 * @throws AppError `not_found`; `unprocessable` for an answer in the future.
 */
export async function recordResponse(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  { tenantId, reference, actor }: ResponseTarget,
  given: GivenResponse,
): Promise<{ row: ResponseRow; created: boolean }> {
  const now = deps.clock.now();
  const answeredAt = given.answeredAt ?? now;
  if (answeredAt > now) throw invalidField('/answeredAt', 'in_future', 'answeredAt is in the future');
  // Held against a deletion at the same moment, which would leave a response of nobody.
  const recipient = await lockRecipient(tx, tenantId, reference, 'share');
  if (recipient === null) throw notFound();
  const { context, source } = given;
  const named = { contextType: context.type, contextRef: context.ref };
  const made = { tenantId, recipientId: recipient.id, id: deps.newId(), ...named, answeredAt, source };
  const [row] = await tx
    .insert(responses)
    .values({ ...made, createdAt: now, updatedAt: now })
    .onConflictDoNothing()
    .returning();
  if (row === undefined) {
    const theirs = and(ofContext(tenantId, context), eq(responses.recipientId, recipient.id));
    const [first] = await tx.select().from(responses).where(theirs);
    if (first === undefined) throw new Error('the response neither was made nor is there');
    return { row: first, created: false };
  }
  const entry = { tenantId, actor, action: 'updated' as const, resourceType: 'recipient', resourceId: recipient.id };
  await recordAudit(deps, tx, { ...entry, fields: ['responses'] });
  return { row, created: true };
}

/** Newest first, of one context if given. @throws AppError `not_found`. */
export async function listResponses(
  db: Db,
  tenantId: string,
  reference: string,
  page: { limit: number; before: string | null },
  filter: { contextType?: string; context?: string } = {},
): Promise<{ recipientId: string; rows: ResponseRow[] }> {
  const { id } = await getRecipient(db, tenantId, reference);
  const rows = await db
    .select()
    .from(responses)
    .where(
      and(
        eq(responses.tenantId, tenantId),
        eq(responses.recipientId, id),
        page.before === null ? undefined : lt(responses.id, page.before),
        filter.contextType === undefined ? undefined : eq(responses.contextType, filter.contextType),
        filter.context === undefined ? undefined : eq(responses.contextRef, filter.context),
      ),
    )
    .orderBy(desc(responses.id))
    .limit(page.limit);
  return { recipientId: id, rows };
}

/** A response of somebody. @throws AppError `not_found`. */
export async function getResponse(
  db: Db | Tx,
  tenantId: string,
  recipientId: string,
  id: string,
): Promise<ResponseRow> {
  const [row] = await db
    .select()
    .from(responses)
    .where(and(eq(responses.tenantId, tenantId), eq(responses.recipientId, recipientId), eq(responses.id, id)));
  if (row === undefined) throw notFound();
  return row;
}

/** Takes back that somebody answered: reminders count them again. @throws AppError `not_found`. */
export async function deleteResponse(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  { tenantId, reference, actor }: ResponseTarget,
  id: string,
): Promise<void> {
  const recipient = await lockRecipient(tx, tenantId, reference, 'share');
  if (recipient === null) throw notFound();
  const gone = await tx
    .delete(responses)
    .where(and(eq(responses.tenantId, tenantId), eq(responses.recipientId, recipient.id), eq(responses.id, id)))
    .returning({ id: responses.id });
  if (gone.length === 0) throw notFound();
  const entry = { tenantId, actor, action: 'updated' as const, resourceType: 'recipient', resourceId: recipient.id };
  await recordAudit(deps, tx, { ...entry, fields: ['responses'] });
}

/** Those of the recipients who have answered in a context (D10). One statement for any number of them. */
export async function respondedTo(
  db: Db | Tx,
  tenantId: string,
  context: ResponseContext,
  recipientIds: readonly string[],
): Promise<Set<string>> {
  if (recipientIds.length === 0) return new Set();
  const rows = await db
    .select({ recipientId: responses.recipientId })
    .from(responses)
    .where(and(ofContext(tenantId, context), sql`${responses.recipientId} = any(${idList(recipientIds)})`));
  return new Set(rows.map(({ recipientId }) => recipientId));
}
