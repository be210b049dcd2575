import { parseAddrSpec } from '../channels/mail/addr-spec.ts';
import type { recipientAddresses } from '../db/tables/people.ts';
import { AppError, type ErrorItem } from '../errors.ts';

export type AddressKind = (typeof recipientAddresses.$inferSelect)['kind'];

/** An address as it is kept. */
export type RecipientAddress = Omit<typeof recipientAddresses.$inferSelect, 'tenantId' | 'recipientId' | 'position'>;

/** An address as callers give it. */
export interface GivenAddress {
  kind: AddressKind;
  value: string;
  role?: string | null;
  preferred?: boolean;
  acceptsContact?: boolean;
}

type Reading = { value: string; normalized: string } | { why: string };

/** The index of compared forms takes 2,704 bytes, kind and tenant included: a thousand letters can be more. */
const indexedBytes = 2_500;

const lineBreaks = /\r\n?|\n/g;
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

function readTelephone(value: string): Reading {
  const normalized = value.replace(/[\s().\u00a0\u202f/-]/g, '');
  if (!/^\+?[0-9]{3,15}$/.test(normalized)) return { why: 'it is not a telephone number' };
  return { value, normalized };
}

function readAddress(kind: AddressKind, value: string): Reading {
  if (kind === 'mail') {
    const parsed = parseAddrSpec(value);
    return parsed.kind === 'invalid' ? { why: parsed.why } : { value: parsed.address, normalized: parsed.normalized };
  }
  const lines = kind === 'postal' ? value.replace(lineBreaks, '\n') : value;
  if (controls.test(kind === 'postal' ? lines.replaceAll('\n', '') : lines))
    return { why: 'it has control characters' };
  if (lines.trim() === '') return { why: 'it is empty' };
  if (Buffer.byteLength(lines) > indexedBytes) return { why: `it is longer than ${indexedBytes} bytes` };
  return kind === 'mobile' || kind === 'landline' ? readTelephone(lines) : { value: lines, normalized: lines };
}

/**
 * Checks addresses and gives them their compared form. Mail is one strict addr-spec; a telephone number keeps its
 * digits; other kinds are compared as they are.
 * @throws AppError `unprocessable` with every fault: `address_invalid`, or `preferred_twice` within one kind.
 */
export function readAddresses(given: readonly GivenAddress[]): RecipientAddress[] {
  const faults: ErrorItem[] = [];
  const preferred = new Set<AddressKind>();
  const addresses: RecipientAddress[] = [];
  for (const [index, address] of given.entries()) {
    const { kind } = address;
    const reading = readAddress(kind, address.value);
    if ('why' in reading) {
      faults.push({ pointer: `/addresses/${index}/value`, code: 'address_invalid', message: reading.why });
      continue;
    }
    if (address.preferred && preferred.has(kind)) {
      const message = `only one address of the kind ${kind} can be preferred`;
      faults.push({ pointer: `/addresses/${index}/preferred`, code: 'preferred_twice', message });
    }
    if (address.preferred) preferred.add(kind);
    addresses.push({
      kind,
      ...reading,
      role: address.role ?? null,
      preferred: address.preferred ?? false,
      acceptsContact: address.acceptsContact ?? true,
    });
  }
  const [first] = faults;
  if (first !== undefined)
    throw new AppError('unprocessable', { detail: `${first.pointer}: ${first.message}`, items: faults });
  return addresses;
}

/** The compared forms a text may have, by kind: what a search for an address looks for. */
export function comparedForms(text: string): { kind: AddressKind; normalized: string }[] {
  const kinds: AddressKind[] = ['mail', 'mobile', 'landline', 'postal', 'push', 'portal'];
  return kinds.flatMap((kind) => {
    const reading = readAddress(kind, text);
    return 'why' in reading ? [] : [{ kind, normalized: reading.normalized }];
  });
}
