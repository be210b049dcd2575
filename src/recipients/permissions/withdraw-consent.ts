import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import type { Actor } from '../../tenants/rights.ts';
import { appendConsents, newestConsents } from './consents.ts';

/** What management needs (M8): what is left of a consent when prospecting is refused. */
const managementOnly = 1;

/** The level by mail of those who ever said one. */
async function saidLevels(
  db: Db | Tx,
  tenantId: string,
  recipientIds: readonly string[],
): Promise<Map<string, number>> {
  const rows = await newestConsents(db, tenantId, recipientIds, { addressKind: 'mail' });
  return new Map(rows.map(({ recipientId, level }) => [recipientId, level]));
}

/** Those of the recipients who said themselves that they want no more by mail than management, or less. */
export async function whoWithdrew(
  db: Db | Tx,
  tenantId: string,
  recipientIds: readonly string[],
): Promise<Set<string>> {
  const said = await saidLevels(db, tenantId, recipientIds);
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
  const said = await saidLevels(tx, tenantId, recipientIds);
  const changed = recipientIds.filter((id) => (said.get(id) ?? managementOnly + 1) > managementOnly);
  for (const recipientId of changed) {
    const level = said.has(recipientId) || defaultLevel > managementOnly ? managementOnly : (defaultLevel as 0 | 1);
    const given = { addressKind: 'mail' as const, level, since: null, source, proof: null };
    await appendConsents(deps, tx, { tenantId, recipientId, actor }, [given]);
  }
  return changed;
}
