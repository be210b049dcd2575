import type { Tx } from '../../db/client.ts';

/** The types that recipients of a tenant may have; null: any. The seam for types that the tenant defines. */
export async function knownTypes(_tx: Tx, _tenantId: string): Promise<ReadonlySet<string> | null> {
  return null;
}
