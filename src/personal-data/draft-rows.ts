import { parseAddrSpec } from '../channels/mail/addr-spec.ts';
import { parseRecipientReference } from '../recipients/reference.ts';
import type { Person } from './person.ts';

/** A row of a draft, as far as it names people. */
export interface DraftRow {
  recipient?: string;
  contact?: string;
  to?: { address: string };
  cc?: { address: string }[];
  bcc?: { address: string }[];
}

/** The body of a draft, as far as it names people. */
export interface DraftBody {
  recipients: DraftRow[];
}

/** Whether a text is an address that is theirs alone, in any spelling. */
export function isAddressOf({ addresses }: Pick<Person, 'addresses'>, text: string): boolean {
  const parsed = parseAddrSpec(text);
  return parsed.kind === 'address' && addresses.has(parsed.normalized);
}

/** Whether a text is their id or their external reference. */
export function isReferenceTo({ id, external }: Person, text: string): boolean {
  const named = parseRecipientReference(text);
  if (named?.kind === 'id') return named.id === id;
  return named !== null && named.type === external?.type && named.externalId === external.externalId;
}

/** Whether the message of a row would be to them. One that only has a copy for them is somebody else's. */
export function isRowOf(person: Person, { recipient, to }: DraftRow): boolean {
  return (
    (recipient !== undefined && isReferenceTo(person, recipient)) ||
    (to !== undefined && isAddressOf(person, to.address))
  );
}
