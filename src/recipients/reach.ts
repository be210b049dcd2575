/** Through whom a recipient is written to: themselves, a contact, the member of a household, a structure above. */
import type { Db, Tx } from '../db/client.ts';
import type { AddressPolicy } from '../tenants/address-policy.ts';
import { readReachedThrough } from '../tenants/recipient-types.ts';
import { chooseAddresses } from './addresses/choose-addresses.ts';
import type { RecipientAddress } from './addresses/read-addresses.ts';
import { findRecipients } from './lookup.ts';
import { findReferenceContacts, findStructuresAbove } from './relations.ts';
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
   * member of a household (M11); they themselves; the structures they are part of (M11), each as if it were written to
   * itself, so that nobody gets around the contact of one from below (J5). A dead mailbox comes behind all others.
   * @param contact the one that the request names; null: none.
   */
  of(recipient: RecipientWithAddresses, policy: AddressPolicy, contact: RecipientWithAddresses | null): Reached;
}

async function readById(db: Db | Tx, tenantId: string, ids: Iterable<string>) {
  const found = await findRecipients(db, tenantId, [...new Set(ids)]);
  return new Map([...found.values()].map((row) => [row.id, row]));
}

const present = <Value>(values: readonly (Value | null | undefined)[]): Value[] =>
  values.filter((value) => value != null);

/** Mailboxes (normalized) that take nothing any more, among those that are asked about. */
export type DeadAmong = (normalized: readonly string[]) => Promise<ReadonlySet<string>>;

const noneDead: ReadonlySet<string> = new Set();

/**
 * Reads everybody through whom these recipients may be reached: a few statements for any number of them.
 * @param deadAmong asked once at most: a dead mailbox serves only where nothing else does.
 */
export async function readReach(
  db: Db | Tx,
  tenantId: string,
  recipients: readonly RecipientWithAddresses[],
  deadAmong: DeadAmong,
): Promise<Reach> {
  const types = recipients.length === 0 ? new Map() : await readReachedThrough(db, tenantId);
  const throughOf = ({ type }: RecipientWithAddresses) => types.get(type) ?? 'own';
  const above = await findStructuresAbove(db, tenantId, present(recipients.map(({ partOf }) => partOf)));
  const structures = await readById(db, tenantId, above);
  const reached = [...recipients, ...structures.values()];
  const throughContact = reached.filter((one) => throughOf(one) !== 'own');
  const contacts = await findReferenceContacts(
    db,
    tenantId,
    throughContact.map(({ id }) => id),
  );
  const members = present(reached.map(({ householdOf }) => householdOf));
  const others = await readById(db, tenantId, [...contacts.values(), ...members]);

  const everybody = [...reached, ...others.values()].flatMap(({ addresses }) => addresses);
  const mailboxes = new Set(everybody.filter(({ kind }) => kind === 'mail').map(({ normalized }) => normalized));
  // Where there is one mailbox in all, there is no other to choose.
  const dead = mailboxes.size > 1 ? await deadAmong([...mailboxes]) : noneDead;

  const waysTo = (one: RecipientWithAddresses) => {
    const reference = others.get(contacts.get(one.id) ?? '');
    const member = others.get(one.householdOf ?? '');
    return present([reference, member, throughOf(one) === 'contact' ? null : one]);
  };
  const candidatesOf = (recipient: RecipientWithAddresses, contact: RecipientWithAddresses | null) => {
    const passed = new Set<RecipientWithAddresses>();
    let next: RecipientWithAddresses | undefined = recipient;
    while (next !== undefined && !passed.has(next)) {
      passed.add(next);
      // Whoever is reached through a contact only is not reached through what stands above them.
      next = throughOf(next) === 'contact' ? undefined : structures.get(next.partOf ?? '');
    }
    return present([contact, ...[...passed].flatMap(waysTo)]);
  };
  return {
    of(recipient, policy, contact) {
      const candidates = candidatesOf(recipient, contact);
      if (candidates.length === 0) return { kind: 'no-contact' };
      for (const passedOver of [dead, noneDead]) {
        for (const owner of candidates) {
          const chosen = chooseAddresses(owner.addresses, 'mail', policy, passedOver);
          if (chosen.length > 0) return { kind: 'reached', addresses: chosen.map((address) => ({ owner, address })) };
        }
      }
      const refusing = candidates.find(({ addresses }) =>
        addresses.some(({ kind, acceptsContact }) => kind === 'mail' && !acceptsContact),
      );
      return refusing === undefined ? { kind: 'missing' } : { kind: 'refused', owner: refusing };
    },
  };
}
