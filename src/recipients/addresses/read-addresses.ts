import { parseAddrSpec } from '../../channels/mail/addr-spec.ts';
import type { recipientAddresses } from '../../db/tables/people.ts';
import { AppError, type ErrorItem } from '../../errors.ts';
import { controlCharacter } from '../../text-patterns.ts';
import { addressKinds } from './address-kinds.ts';
import { type Country, notMobile, readTelephone } from './telephone.ts';

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

/** Whether addresses of the kind are telephone numbers. */
export function isTelephone(kind: AddressKind): kind is 'mobile' | 'landline' {
  return kind === 'mobile' || kind === 'landline';
}

type Reading = { value: string; normalized: string } | { why: string; code?: string; member?: string };

/** The index of compared forms takes 2,704 bytes, kind and tenant included: a thousand letters can be more. */
const indexedBytes = 2_500;

const lineBreaks = /\r\n?|\n/g;

function readNumber(kind: 'mobile' | 'landline', value: string, country: Country): Reading {
  const number = readTelephone(value, country);
  if ('why' in number) return number;
  const unfit = kind === 'mobile' ? notMobile(number) : null;
  if (unfit !== null) return { why: unfit, code: 'telephone_kind', member: 'kind' };
  return { value, normalized: number.normalized };
}

function readAddress(kind: AddressKind, value: string, country: Country): Reading {
  if (kind === 'mail') {
    const parsed = parseAddrSpec(value);
    return parsed.kind === 'invalid' ? { why: parsed.why } : { value: parsed.address, normalized: parsed.normalized };
  }
  const lines = kind === 'postal' ? value.replace(lineBreaks, '\n') : value;
  if (controlCharacter.test(kind === 'postal' ? lines.replaceAll('\n', '') : lines))
    return { why: 'it has control characters' };
  if (lines.trim() === '') return { why: 'it is empty' };
  if (Buffer.byteLength(lines) > indexedBytes) return { why: `it is longer than ${indexedBytes} bytes` };
  if (isTelephone(kind)) return readNumber(kind, lines, country);
  return { value: lines, normalized: lines };
}

/**
 * Checks addresses and gives them their compared form: of mail one strict addr-spec, of a telephone number E.164. Other
 * kinds are compared as they are.
 * @param country where numbers without a country code are dialled.
 * @throws AppError `unprocessable` with every fault: `address_invalid`, `telephone_kind` for a landline given as
 * mobile, or `preferred_twice` within one kind.
 */
export function readAddresses(given: readonly GivenAddress[], country: Country = 'FR'): RecipientAddress[] {
  const faults: ErrorItem[] = [];
  const preferred = new Set<AddressKind>();
  const addresses: RecipientAddress[] = [];
  for (const [index, address] of given.entries()) {
    const { kind } = address;
    const reading = readAddress(kind, address.value, country);
    if ('why' in reading) {
      const { why: message, code = 'address_invalid', member = 'value' } = reading;
      faults.push({ pointer: `/addresses/${index}/${member}`, code, message });
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

/**
 * Addresses that are to replace others: one of which nothing is said keeps the refusal that was said of it (J5). Saying
 * nothing is no yes.
 * @param unsaid whether contact was left unsaid, by place.
 */
export function keepRefusals(
  addresses: readonly RecipientAddress[],
  unsaid: readonly boolean[],
  before: readonly RecipientAddress[],
): RecipientAddress[] {
  return addresses.map((address, place) => {
    const same = before.filter(({ kind, normalized }) => kind === address.kind && normalized === address.normalized);
    const ofRole = same.filter(({ role }) => role === address.role);
    const refused = (ofRole.length > 0 ? ofRole : same).some(({ acceptsContact }) => !acceptsContact);
    return unsaid[place] && refused ? { ...address, acceptsContact: false } : address;
  });
}

/** What a number was compared by before it was read as one: rows of other plans than the French still are. */
function digitsAsWritten(text: string): string[] {
  const digits = text.replace(/[\s().\u00a0\u202f/-]/g, '');
  return /^\+?[0-9]{3,15}$/.test(digits) ? [digits] : [];
}

/** The compared forms a text may have, by kind: what a search for an address looks for. */
export function comparedForms(text: string, country: Country = 'FR'): { kind: AddressKind; normalized: string }[] {
  return addressKinds.flatMap((kind) => {
    const reading = readAddress(kind, text, country);
    const forms = 'why' in reading ? [] : [reading.normalized];
    const all = new Set(isTelephone(kind) ? [...forms, ...digitsAsWritten(text)] : forms);
    return [...all].map((normalized) => ({ kind, normalized }));
  });
}
