import { parseAddrSpec } from '../channels/mail/addr-spec.ts';
import type { StoredDocument } from '../db/tables/content.ts';
import type { StoredCopy } from '../db/tables/messages.ts';
import { attachDocuments } from '../documents/attach.ts';
import type { findDocuments } from '../documents/store.ts';
import type { Reason } from '../messages/reasons.ts';
import type { RuleFacts } from '../messages/rule-facts.ts';
import type { RecipientWithAddresses } from '../recipients/lookup.ts';
import type { AddressPolicy } from '../tenants/address-policy.ts';
import type { People } from './people.ts';
import type { SendRequestBody } from './schema.ts';

/** One row of a request. */
export type RowBody = SendRequestBody['recipients'][number];

/** What is wrong with a row: where, which code, in words. */
export interface Fault {
  pointer: string;
  code: Reason;
  message: string;
}

/** Whom a row writes to, or why it cannot. */
export interface Target {
  recipient: RecipientWithAddresses | null;
  /** Whose address it is, where a record gives it: who reads the message. */
  owner: RecipientWithAddresses | null;
  name: string | null;
  address: string | null;
  normalized: string | null;
  fault: Fault | null;
  /** What a record says against it, with what that rests on. */
  block: { reason: Reason; facts: RuleFacts } | null;
}

/** What the expression of a template's address gives for a row. */
export type ExpressedAddress =
  | { kind: 'address'; address: string }
  | { kind: 'nothing' }
  | { kind: 'fault'; fault: Fault };

/** What texts read of a recipient's record. */
export function dataOfRecipient({ type, externalId, displayName, attributes }: RecipientWithAddresses) {
  return { recipient: { type, externalId, displayName, attributes } };
}

const nowhere = { owner: null, name: null, address: null, normalized: null, block: null };

/** An address as it came, read. */
function readAddress(
  recipient: RecipientWithAddresses | null,
  pointer: string,
  given: { address: string; name: string | null },
): Target {
  const parsed = parseAddrSpec(given.address);
  const { name } = given;
  if (parsed.kind === 'invalid') {
    const fault = { pointer, code: 'address_invalid' as const, message: parsed.why };
    // Kept as it came, so that a person sees what is to be corrected.
    return { ...nowhere, recipient, name, address: given.address, fault };
  }
  return { ...nowhere, recipient, name, address: parsed.address, normalized: parsed.normalized, fault: null };
}

const unknownRecipient = (pointer: string): Fault => ({
  pointer,
  code: 'recipient_unknown',
  message: 'the recipient does not exist',
});

/**
 * A contact that does not exist is told in every row. A corrected `to` mends it, because a contact only says which
 * addresses of records serve.
 */
export function contactFault({ contact }: RowBody, { byReference }: People): Fault | null {
  if (contact === undefined || byReference.has(contact)) return null;
  return unknownRecipient('/contact');
}

/** Where the record of a recipient says that they are written to: one target for each address (A9, J5, M11, D3). */
function reachedTargets(
  recipient: RecipientWithAddresses,
  contact: RecipientWithAddresses | null,
  { reach }: People,
  policy: AddressPolicy,
): Target[] {
  const reached = reach.of(recipient, policy, contact);
  const name = recipient.displayName;
  switch (reached.kind) {
    case 'reached':
      return reached.addresses.map(({ owner, address }) => ({
        recipient,
        owner,
        name: owner.displayName ?? name,
        address: address.value,
        normalized: address.normalized,
        fault: null,
        block: null,
      }));
    case 'refused': {
      const facts: RuleFacts = { rule: 'contact', recipientId: reached.owner.id };
      return [{ ...nowhere, name, recipient, fault: null, block: { reason: 'contact_refused', facts } }];
    }
    case 'no-contact': {
      const message = 'the structure is reached through its reference contact, and has none';
      return [{ ...nowhere, name, recipient, fault: { pointer: '/recipient', code: 'contact_missing', message } }];
    }
    case 'missing': {
      const message = `the recipient has no mail address for the policy ${policy}`;
      return [{ ...nowhere, name, recipient, fault: { pointer: '/to', code: 'address_missing', message } }];
    }
  }
}

/**
 * Whom a row writes to: the inline `to` first, then what the template's expression gives (M4), else the addresses of
 * the recipient's record that the policy chooses. @param expressed what the expression gives; null: the template has
 * none.
 * @returns at least one; several where the policy writes to several addresses.
 */
export function targetsOf(
  row: RowBody,
  people: People,
  policy: AddressPolicy,
  expressed: ExpressedAddress | null,
): Target[] {
  const recipient = row.recipient === undefined ? null : (people.byReference.get(row.recipient) ?? null);
  const contact = row.contact === undefined ? null : (people.byReference.get(row.contact) ?? null);
  if (row.recipient !== undefined && recipient === null) {
    return [{ ...nowhere, recipient, fault: unknownRecipient('/recipient') }];
  }
  const fallbackName = recipient?.displayName ?? null;
  if (row.to !== undefined) {
    return [readAddress(recipient, '/to/address', { address: row.to.address, name: row.to.name ?? fallbackName })];
  }
  if (expressed?.kind === 'fault') return [{ ...nowhere, name: fallbackName, recipient, fault: expressed.fault }];
  if (expressed?.kind === 'address') return [readAddress(recipient, '/to', { address: expressed.address, name: null })];
  // Told beside: whom it was to go to is not known, and the address that serves without a contact is a guess.
  if (contactFault(row, people) !== null) return [{ ...nowhere, name: fallbackName, recipient, fault: null }];
  if (recipient !== null) return reachedTargets(recipient, contact, people, policy);
  const message = `${expressed === null ? '' : 'what the template writes to gives nothing; '}give a recipient or an inline to`;
  return [{ ...nowhere, recipient, fault: { pointer: '/to', code: 'address_missing', message } }];
}

/** The language that is asked for: of the row, else of whoever reads it, else of whom it is about; null: none is. */
export function localeOfRow(
  { locale }: Pick<RowBody, 'locale'>,
  { owner, recipient }: Pick<Target, 'owner' | 'recipient'>,
): string | null {
  return locale ?? owner?.locale ?? recipient?.locale ?? null;
}

/** The copies of a row and the sender's archive; of each kind the first address that is not one, if any. */
export function copiesOf(row: RowBody, archive: readonly string[]): { copies: StoredCopy[]; faults: Fault[] } {
  const copies: StoredCopy[] = [];
  const faults: Fault[] = [];
  const pending = { outcome: 'pending', reason: null, code: null, at: null } as const;
  for (const kind of ['cc', 'bcc'] as const) {
    for (const [index, copy] of (row[kind] ?? []).entries()) {
      const parsed = parseAddrSpec(copy.address);
      if (parsed.kind === 'invalid') {
        // Kept as it came, so that a person sees what is to be corrected; it is never written to.
        const kept = { outcome: 'blocked', reason: 'address_invalid', code: null, at: null } as const;
        copies.push({ kind, name: copy.name ?? null, address: copy.address, ...kept });
        // Another one of the same kind is told when this one is corrected: `cc` and `bcc` are corrected as a whole.
        if (!faults.some(({ pointer }) => pointer.startsWith(`/${kind}/`))) {
          faults.push({ pointer: `/${kind}/${index}/address`, code: 'address_invalid', message: parsed.why });
        }
        continue;
      }
      copies.push({ kind, name: copy.name ?? null, address: parsed.address, ...pending });
    }
  }
  for (const address of archive) copies.push({ kind: 'archive', name: null, address, ...pending });
  return { copies, faults };
}

/** The request's documents that exist, by id. */
export type Documents = Awaited<ReturnType<typeof findDocuments>>;

/** The documents of a row behind those of its template; the first fault of them, if any. */
export function documentsOf(
  ids: readonly string[],
  known: Documents,
  pinned: readonly StoredDocument[],
): { documents: StoredDocument[]; fault: Target['fault'] } {
  const attached = attachDocuments(ids, known, pinned);
  if (attached.kind === 'attached') return { documents: attached.documents, fault: null };
  return { documents: [], fault: { pointer: '/documents', code: 'document_invalid', message: attached.why } };
}
