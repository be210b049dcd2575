import type { Tx } from '../db/client.ts';
import type { Actor } from '../tenants/rights.ts';
import type { RecipientAddress } from './addresses/read-addresses.ts';

/** A record that is about to have other addresses, or to be deleted. Addresses are those of mail, in their compared form. */
export interface LeavingRecord {
  id: string;
  addresses: readonly string[];
  /** Those that go. */
  leaving: readonly string[];
  /** What was said of the person goes too: consents stay with a record that only has other addresses. */
  deleted: boolean;
}

/**
 * What has to be done while the word that a record has against its addresses can still be read. The record is locked, and
 * is changed or deleted later in the same transaction.
 */
export type BeforeLeaving = (
  tx: Tx,
  to: { tenantId: string; actor: Actor },
  records: readonly LeavingRecord[],
) => Promise<void>;

const mailOf = (addresses: readonly RecipientAddress[]) => [
  ...new Set(addresses.filter(({ kind }) => kind === 'mail').map(({ normalized }) => normalized)),
];

/** @param after what it will have; null where it is deleted. */
export function leavingRecord(
  id: string,
  before: readonly RecipientAddress[],
  after: readonly RecipientAddress[] | null,
): LeavingRecord {
  const addresses = mailOf(before);
  const staying = new Set(mailOf(after ?? []));
  return { id, addresses, leaving: addresses.filter((address) => !staying.has(address)), deleted: after === null };
}
