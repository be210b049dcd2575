/** Through whom a recipient is written to: themselves, a contact, the member of a household, a structure above. */
import type { Db, Tx } from '../db/client.ts';
import type { AddressPolicy } from '../tenants/address-policy.ts';
import { readReachedThrough } from '../tenants/recipient-types.ts';
import { chooseAddresses } from './addresses/choose-addresses.ts';
import type { RecipientAddress } from './addresses/read-addresses.ts';
import { findRecipients } from './lookup.ts';
import { findReferenceContacts } from './relations.ts';
import type { RecipientWithAddresses } from './store.ts';

/** An address that a recipient is written to, and whose it is. */
export interface ReachedAddress {
  owner: RecipientWithAddresses;
  address: RecipientAddress;
}

/** Where somebody is written to, or why nowhere. */
export type Reached =
  | { kind: 'reached'; addresses: ReachedAddress[] }
  /** There are addresses, and contact by them is not accepted. `owner` is the first who has one. */
  | { kind: 'refused'; owner: RecipientWithAddresses }
  | { kind: 'missing' }
  | { kind: 'no-contact' };

/** People whose addresses may serve, of one request. */
export interface Reach {
  /**
   * Where a recipient is written to by mail. In this order, the first who has an address that the policy chooses: the
   * contact that the request names (D3); the reference contact of a structure that is reached through it (J5, D3); the
   * member of a household (M11); they themselves; the structures they are part of (M11).
   * @param contact the one that the request names; null: none.
   */
  of(recipient: RecipientWithAddresses, policy: AddressPolicy, contact: RecipientWithAddresses | null): Reached;
}

/** Structures above a structure that are read. */
const levels = 5;

async function readById(db: Db | Tx, tenantId: string, ids: Iterable<string>) {
  const found = await findRecipients(db, tenantId, [...new Set(ids)]);
  return new Map([...found.values()].map((row) => [row.id, row]));
}

/** Structures that recipients are part of, theirs too, and so on. */
async function readStructures(db: Db | Tx, tenantId: string, recipients: readonly RecipientWithAddresses[]) {
  const known = new Map<string, RecipientWithAddresses>();
  let wanted = recipients.flatMap(({ partOf }) => (partOf === null ? [] : [partOf]));
  for (let level = 1; level <= levels && wanted.length > 0; level += 1) {
    const found = await readById(db, tenantId, wanted);
    for (const [id, row] of found) known.set(id, row);
    wanted = [...found.values()].flatMap(({ partOf }) => (partOf === null || known.has(partOf) ? [] : [partOf]));
  }
  return known;
}

/** Reads everybody through whom these recipients may be reached: a few statements for any number of them. */
export async function readReach(
  db: Db | Tx,
  tenantId: string,
  recipients: readonly RecipientWithAddresses[],
): Promise<Reach> {
  const types = recipients.length === 0 ? new Map() : await readReachedThrough(db, tenantId);
  const throughOf = ({ type }: RecipientWithAddresses) => types.get(type) ?? 'own';
  const throughContact = recipients.filter((one) => throughOf(one) !== 'own');
  const contacts = await findReferenceContacts(
    db,
    tenantId,
    throughContact.map(({ id }) => id),
  );
  const members = recipients.flatMap(({ householdOf }) => (householdOf === null ? [] : [householdOf]));
  const others = await readById(db, tenantId, [...contacts.values(), ...members]);
  const structures = await readStructures(db, tenantId, recipients);

  const above = (recipient: RecipientWithAddresses) => {
    const chain: RecipientWithAddresses[] = [];
    let next = recipient.partOf;
    while (next !== null && chain.length < levels) {
      const structure = structures.get(next);
      if (structure === undefined) break;
      chain.push(structure);
      next = structure.partOf;
    }
    return chain;
  };
  const candidatesOf = (recipient: RecipientWithAddresses, contact: RecipientWithAddresses | null) => {
    const through = throughOf(recipient);
    const reference = others.get(contacts.get(recipient.id) ?? '');
    const member = others.get(recipient.householdOf ?? '');
    const first = [contact, reference, member].filter((one) => one != null);
    return through === 'contact' ? first : [...first, recipient, ...above(recipient)];
  };
  return {
    of(recipient, policy, contact) {
      const candidates = candidatesOf(recipient, contact);
      if (candidates.length === 0) return { kind: 'no-contact' };
      for (const owner of candidates) {
        const chosen = chooseAddresses(owner.addresses, 'mail', policy);
        if (chosen.length > 0) return { kind: 'reached', addresses: chosen.map((address) => ({ owner, address })) };
      }
      const refusing = candidates.find(({ addresses }) =>
        addresses.some(({ kind, acceptsContact }) => kind === 'mail' && !acceptsContact),
      );
      return refusing === undefined ? { kind: 'missing' } : { kind: 'refused', owner: refusing };
    },
  };
}
