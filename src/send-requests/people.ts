/** The people of a request: whom it names, and those through whom they are reached. */
import type { Db } from '../db/client.ts';
import { findRecipients, type RecipientWithAddresses } from '../recipients/lookup.ts';
import { type Reach, readReach } from '../recipients/reach.ts';
import { findSuppressed, type SuppressionDeps } from '../suppressions/store.ts';
import type { SendRequestBody } from './schema.ts';

/** The people that a request names, and those through whom they are reached. */
export interface People {
  /** By the reference that was given. Those that do not exist are absent. */
  byReference: ReadonlyMap<string, RecipientWithAddresses>;
  reach: Reach;
}

/** The recipients and contacts that the rows of a request name. Those that do not exist are absent. */
export function findNamed(
  db: Db,
  tenantId: string,
  { recipients }: SendRequestBody,
): Promise<Map<string, RecipientWithAddresses>> {
  const references = recipients.flatMap(({ recipient, contact }) => [recipient, contact]);
  return findRecipients(db, tenantId, [...new Set(references.filter((one) => one !== undefined))]);
}

/**
 * Reads through whom people are reached. A mailbox that is suppressed because mail to it bounced is dead, and no word of
 * the person: it is passed over where they have another. What was suppressed for another cause is not.
 */
export async function readPeople(
  deps: SuppressionDeps & { db: Db },
  tenantId: string,
  byReference: People['byReference'],
): Promise<People> {
  const deadAmong = async (normalized: readonly string[]) => {
    const suppressed = await findSuppressed(deps, deps.db, tenantId, 'mail', normalized);
    return new Set(normalized.filter((one) => suppressed.get(one)?.cause === 'bounce'));
  };
  return { byReference, reach: await readReach(deps.db, tenantId, [...byReference.values()], deadAmong) };
}
