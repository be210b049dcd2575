import { and, desc, eq, inArray, sql } from 'drizzle-orm';
import type { Db } from '../../db/client.ts';
import { choiceChanges, notificationTypes } from '../../db/tables/permissions.ts';
import { getRecipient } from '../store.ts';

export type ChoiceChangeRow = typeof choiceChanges.$inferSelect;

/**
 * Every choice that a person and the member of their household made, newest first (M10). `before` is the id of one of them.
 * @throws AppError `not_found`.
 */
export async function listChoiceChanges(
  db: Db,
  tenantId: string,
  reference: string,
  page: { limit: number; before: string | null },
): Promise<(ChoiceChangeRow & { typeKey: string | null })[]> {
  const { id, householdOf } = await getRecipient(db, tenantId, reference);
  // By when they were made: ids of those that the migration made follow no order.
  const older = sql`(${choiceChanges.at}, ${choiceChanges.id}) < (select last.at, last.id from ${choiceChanges} as last
    where last.tenant_id = ${tenantId} and last.recipient_id in (${id}, ${householdOf ?? id}) and last.id = ${page.before})`;
  const rows = await db
    .select({ change: choiceChanges, typeKey: notificationTypes.key })
    .from(choiceChanges)
    .leftJoin(
      notificationTypes,
      and(eq(notificationTypes.tenantId, tenantId), eq(notificationTypes.id, choiceChanges.notificationTypeId)),
    )
    .where(
      and(
        eq(choiceChanges.tenantId, tenantId),
        inArray(choiceChanges.recipientId, [id, householdOf ?? id]),
        page.before === null ? undefined : older,
      ),
    )
    .orderBy(desc(choiceChanges.at), desc(choiceChanges.id))
    .limit(page.limit);
  return rows.map(({ change, typeKey }) => ({ ...change, typeKey }));
}
