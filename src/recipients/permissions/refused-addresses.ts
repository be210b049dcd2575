import type { Tx } from '../../db/client.ts';
import { getTenant } from '../../tenants/store.ts';
import { decidingConsent, findConcerned } from './concerned.ts';

/**
 * Mail addresses whose last records are about to lose them, with a refusal that would be lost: of contact by the address, or
 * of all mail where the record is deleted. What nobody said and only the organisation's default refuses is nobody's word.
 * @param leaving by compared form, the ids of the records that lose it.
 * @param deleted the ids of those that are deleted, with all that was said of the person.
 */
export async function findLastRefusals(
  tx: Tx,
  tenantId: string,
  leaving: ReadonlyMap<string, ReadonlySet<string>>,
  deleted: ReadonlySet<string>,
): Promise<string[]> {
  if (leaving.size === 0) return [];
  const { byAddress } = await findConcerned(tx, tenantId, { normalized: [...leaving.keys()], ids: [] });
  const { defaultConsentLevel } = await getTenant(tx, tenantId);
  return [...byAddress]
    .filter(([address, owners]) => owners.every(({ id }) => leaving.get(address)?.has(id)))
    .filter(([, owners]) =>
      owners.some(
        (owner) =>
          !owner.acceptsContact || (deleted.has(owner.id) && decidingConsent(owner, defaultConsentLevel)?.level === 0),
      ),
    )
    .map(([address]) => address);
}
