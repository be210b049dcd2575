import { and, desc, eq, lte, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import { idList } from '../../db/rows.ts';
import { consents } from '../../db/tables/permissions.ts';
import { recordAudit } from '../../tenants/audit.ts';
import { type Actor, nameOf } from '../../tenants/rights.ts';

/** What management needs (M8): what is left of a consent when prospecting is refused. */
const managementOnly = 1;

/** The level by mail of those who ever said one: the newest that has begun. */
async function saidLevels(
  { clock }: { clock: Clock },
  db: Db | Tx,
  tenantId: string,
  recipientIds: readonly string[],
): Promise<Map<string, number>> {
  if (recipientIds.length === 0) return new Map();
  const rows = await db
    .selectDistinctOn([consents.recipientId], { recipientId: consents.recipientId, level: consents.level })
    .from(consents)
    .where(
      and(
        eq(consents.tenantId, tenantId),
        eq(consents.addressKind, 'mail'),
        lte(consents.since, clock.now()),
        sql`${consents.recipientId} = any(${idList(recipientIds)})`,
      ),
    )
    .orderBy(consents.recipientId, desc(consents.since), desc(consents.id));
  return new Map(rows.map(({ recipientId, level }) => [recipientId, level]));
}

/** Those of the recipients who said themselves that they want no more by mail than management, or less. */
export async function whoWithdrew(
  deps: { clock: Clock },
  db: Db | Tx,
  tenantId: string,
  recipientIds: readonly string[],
): Promise<Set<string>> {
  const said = await saidLevels(deps, db, tenantId, recipientIds);
  return new Set(recipientIds.filter((id) => (said.get(id) ?? managementOnly + 1) <= managementOnly));
}

/**
 * Takes the consent by mail of people down to management only. It never goes up: who refused more keeps that.
 * @param given.defaultLevel what holds in the organisation for those who never said anything.
 * @param recipientIds locked in this transaction.
 * @returns those whose consent was taken down, or is now said in their own name.
 */
export async function withdrawProspecting(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  { tenantId, actor }: { tenantId: string; actor: Actor },
  { defaultLevel, source }: { defaultLevel: number; source: string },
  recipientIds: readonly string[],
): Promise<string[]> {
  const said = await saidLevels(deps, tx, tenantId, recipientIds);
  const changed = recipientIds.filter((id) => (said.get(id) ?? managementOnly + 1) > managementOnly);
  const now = deps.clock.now();
  for (const recipientId of changed) {
    const level = said.has(recipientId) ? managementOnly : Math.min(defaultLevel, managementOnly);
    // To be replaced by `appendConsents` of consents.ts, with its audit entry, once that is there.
    await tx.insert(consents).values({
      tenantId,
      recipientId,
      id: deps.newId(),
      addressKind: 'mail',
      level,
      since: now,
      source,
      author: nameOf(actor),
      proof: null,
      createdAt: now,
    });
    const entry = { tenantId, actor, action: 'updated' as const, resourceType: 'recipient', resourceId: recipientId };
    await recordAudit(deps, tx, { ...entry, fields: ['consents.mail'] });
  }
  return changed;
}
