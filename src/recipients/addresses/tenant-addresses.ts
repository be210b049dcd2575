import type { Db, Tx } from '../../db/client.ts';
import { getPlace } from '../../tenants/store.ts';
import {
  type AddressKind,
  comparedForms,
  type GivenAddress,
  isTelephone,
  type RecipientAddress,
  readAddresses,
} from './read-addresses.ts';
import { type Country, countryOf } from './telephone.ts';

/** Where an organisation dials numbers without a country code: in the region of its locale. */
export async function dialledIn(db: Db | Tx, tenantId: string): Promise<Country> {
  return countryOf((await getPlace(db, tenantId)).locale);
}

/** Like {@link readAddresses}, with telephone numbers as the organisation dials them. */
export async function readTenantAddresses(
  db: Db | Tx,
  tenantId: string,
  given: readonly GivenAddress[],
): Promise<RecipientAddress[]> {
  if (!given.some(({ kind }) => isTelephone(kind))) return readAddresses(given);
  return readAddresses(given, await dialledIn(db, tenantId));
}

/** Like {@link comparedForms}, with telephone numbers as the organisation dials them. */
export async function tenantForms(
  db: Db | Tx,
  tenantId: string,
  text: string,
): Promise<{ kind: AddressKind; normalized: string }[]> {
  return comparedForms(text, /\d/.test(text) ? await dialledIn(db, tenantId) : undefined);
}
