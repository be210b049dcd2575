import type { AddressPolicy } from '../../tenants/address-policy.ts';
import type { AddressKind, RecipientAddress } from './read-addresses.ts';

/** The preferred one of several, else the first. */
function best(addresses: readonly RecipientAddress[]): RecipientAddress[] {
  const chosen = addresses.find(({ preferred }) => preferred) ?? addresses[0];
  return chosen === undefined ? [] : [chosen];
}

const isFirstOfItsMailbox = ({ normalized }: RecipientAddress, place: number, all: readonly RecipientAddress[]) =>
  all.findIndex((one) => one.normalized === normalized) === place;

/**
 * The addresses of one kind that a policy writes to, never one that does not accept contact, also where the same mailbox
 * stands there again and does (J5, A9):
 * `preferred` the preferred one, else the first; `personal-first`, `institutional-first` that of the role, else of the
 * other, else as `preferred`; `both` one of each, else as `preferred`; `role:{role}` that of the role and no other;
 * `explicit` none: only what a request itself names.
 * @param dead mailboxes (normalized) that take nothing any more: as if they were not there.
 * @returns none where there is none; two at most.
 */
export function chooseAddresses(
  addresses: readonly RecipientAddress[],
  kind: AddressKind,
  policy: AddressPolicy,
  dead: ReadonlySet<string>,
): RecipientAddress[] {
  const ofKind = addresses.filter((address) => address.kind === kind);
  const refused = new Set(ofKind.filter((one) => !one.acceptsContact).map(({ normalized }) => normalized));
  const usable = ofKind.filter(({ normalized }) => !refused.has(normalized) && !dead.has(normalized));
  const ofRole = (wanted: string) => best(usable.filter(({ role }) => role === wanted));
  const personal = ofRole('personal');
  const institutional = ofRole('institutional');
  const inOrder = (...choices: RecipientAddress[][]) => choices.find((choice) => choice.length > 0) ?? best(usable);
  switch (policy) {
    case 'preferred':
      return best(usable);
    case 'personal-first':
      return inOrder(personal, institutional);
    case 'institutional-first':
      return inOrder(institutional, personal);
    case 'both':
      return inOrder([...personal, ...institutional].filter(isFirstOfItsMailbox));
    case 'explicit':
      return [];
    default:
      return ofRole(policy.slice('role:'.length));
  }
}
