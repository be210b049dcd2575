import type { Tx } from '../../db/client.ts';
import { holdRecipientTypes } from '../../tenants/recipient-types.ts';
import { getPlace } from '../../tenants/store.ts';
import { countryOf } from '../addresses/telephone.ts';
import type { RowReading } from './check-row.ts';

/** What the rows of a tenant are read by: its types, held until the end of the transaction, and where it dials. */
export async function readPlaceOfRows(tx: Tx, tenantId: string): Promise<Pick<RowReading, 'knownTypes' | 'country'>> {
  const knownTypes = new Set(await holdRecipientTypes(tx, tenantId));
  return { knownTypes, country: countryOf((await getPlace(tx, tenantId)).locale) };
}
