import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import type { Actor } from '../../tenants/rights.ts';
import { findConcerned, type PersonConcerned } from './concerned.ts';
import { appendConsents, type GivenConsent, newestConsents } from './consents.ts';
import { handedDownSource } from './handed-down.ts';

/** What management needs (M8): what is left of a consent when prospecting is refused. */
const managementOnly = 1;

/** Those of the recipients who said themselves that they want no more by mail than management, or less. */
export async function whoWithdrew(
  db: Db | Tx,
  tenantId: string,
  recipientIds: readonly string[],
): Promise<Set<string>> {
  const said = await newestConsents(db, tenantId, recipientIds, { addressKind: 'mail', themselves: true });
  return new Set(said.filter(({ level }) => level <= managementOnly).map(({ recipientId }) => recipientId));
}

/** What somebody says who refuses prospecting, and has not yet. */
function withdrawalOf(
  { id, holderId, consent }: PersonConcerned,
  { defaultLevel, source }: { defaultLevel: number; source: string },
): GivenConsent[] {
  const said = { addressKind: 'mail' as const, level: managementOnly, since: null, source, proof: null } as const;
  // Beside the word of a member it can only go less far.
  if (holderId !== id) return [said];
  if (consent === null) return [{ ...said, level: Math.min(managementOnly, defaultLevel) as 0 | 1 }];
  // A refusal that was handed down is not their word, and goes on behind it.
  return consent.level === 0 ? [said, { ...said, level: 0, source: handedDownSource }] : [said];
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
  given: { defaultLevel: number; source: string },
  recipientIds: readonly string[],
): Promise<string[]> {
  const withdrew = await whoWithdrew(tx, tenantId, recipientIds);
  const { byId } = await findConcerned(tx, tenantId, { normalized: [], ids: recipientIds });
  const changed = recipientIds.flatMap((id) => (withdrew.has(id) ? [] : (byId.get(id) ?? [])));
  for (const person of changed) {
    await appendConsents(deps, tx, { tenantId, recipientId: person.id, actor }, withdrawalOf(person, given));
  }
  return changed.map(({ id }) => id);
}
