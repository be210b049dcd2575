import type { Tx } from '../../db/client.ts';
import { holdRecipientTypes } from '../../tenants/recipient-types.ts';
import { dialledIn } from '../addresses/tenant-addresses.ts';
import type { RowReading } from './check-row.ts';

/** What the rows of a tenant are read by: its types, held until the end of the transaction, and where it dials. */
export async function readPlaceOfRows(tx: Tx, tenantId: string): Promise<Pick<RowReading, 'knownTypes' | 'country'>> {
  const knownTypes = new Set(await holdRecipientTypes(tx, tenantId));
  return { knownTypes, country: await dialledIn(tx, tenantId) };
}
