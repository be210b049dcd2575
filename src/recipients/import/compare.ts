import { keepRefusals, type RecipientAddress } from '../addresses/read-addresses.ts';
import type { RecipientWithAddresses } from '../store.ts';
import type { GivenRecipient } from './check-row.ts';

/** What an import can change of a recipient. */
export interface RecipientState {
  displayName: string | null;
  locale: string | null;
  preferredChannel: string | null;
  attributes: Record<string, unknown>;
  addresses: readonly RecipientAddress[];
}

/** Of a recipient that does not exist yet. */
export const emptyState: RecipientState = {
  displayName: null,
  locale: null,
  preferredChannel: null,
  attributes: {},
  addresses: [],
};

/** The state of a recipient that exists. */
export function stateOf({
  displayName,
  locale,
  preferredChannel,
  attributes,
  addresses,
}: RecipientWithAddresses): RecipientState {
  return { displayName, locale, preferredChannel, attributes, addresses };
}

/** Whether two JSON values are the same, whatever the order of their members: PostgreSQL keeps its own. */
function sameJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const [leftKeys, rightKeys] = [Object.keys(left), Object.keys(right)];
  if (leftKeys.length !== rightKeys.length) return false;
  return leftKeys.every(
    (key) =>
      Object.hasOwn(right, key) &&
      sameJson((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key]),
  );
}

function sameAddresses(left: readonly RecipientAddress[], right: readonly RecipientAddress[]): boolean {
  return left.length === right.length && left.every((address, place) => sameJson(address, right[place]));
}

/** What a row makes of a recipient. The same object: it changes nothing. */
export function applyRow(before: RecipientState, given: GivenRecipient): RecipientState {
  const after = { ...before, ...given.fields };
  const { attributes } = given;
  const addresses = given.addresses && keepRefusals(given.addresses, given.contactUnsaid, before.addresses);
  if (attributes !== undefined && !sameJson(attributes, before.attributes)) after.attributes = attributes;
  if (addresses !== undefined && !sameAddresses(addresses, before.addresses)) after.addresses = addresses;
  const keys = Object.keys(after) as (keyof RecipientState)[];
  return keys.every((key) => after[key] === before[key]) ? before : after;
}

/** Whether two states of a recipient are the same. */
export function sameState(left: RecipientState, right: RecipientState): boolean {
  return (
    sameJson({ ...left, addresses: null }, { ...right, addresses: null }) &&
    sameAddresses(left.addresses, right.addresses)
  );
}
