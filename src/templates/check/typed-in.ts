/**
 * Personal data that somebody typed into a text (J14): names and addresses come from fields only, since a text is sent
 * to everybody. Every candidate is looked at by the rules of its kind, so that a number is not taken for a telephone.
 */
import { getCountrySpecifications, isValidIBAN } from 'ibantools';
import { parsePhoneNumberFromString } from 'libphonenumber-js/max';

/** What was typed in, and where. */
export interface TypedIn {
  code: 'typed_in_mail_address' | 'typed_in_phone_number' | 'typed_in_social_security_number' | 'typed_in_iban';
  offset: number;
  text: string;
}

/** A text with more candidates than this is none for people; the first of them are looked at. */
const candidatesAtMost = 1_000;

/** A part of a longer word or number is none of these. */
const alone = (pattern: string) => new RegExp(`(?<![\\p{L}\\p{N}_/=.@#-])${pattern}(?![\\p{L}\\p{N}_@-])`, 'gu');

const blanks = '[ \\u00a0\\u202f.-]?';

/** The number of the French register of persons (INSEE): thirteen characters and a key of two, Corsica with a letter. */
const socialSecurityNumber = `[123478]${blanks}\\d{2}${blanks}\\d{2}${blanks}\\d[\\dAB]${blanks}\\d{3}${blanks}\\d{3}${blanks}\\d{2}`;

function isSocialSecurityNumber(written: string): boolean {
  const plain = written.replace(/[^\dAB]/g, '');
  const month = Number(plain.slice(3, 5));
  // 20 to 42 and 50 to 99 stand for months that are not known.
  if (month < 1 || (month > 12 && month < 20) || (month > 42 && month < 50)) return false;
  // Corsica counts as a number: 2A is 19, 2B is 18.
  const number = plain.slice(0, 13).replace('2A', '19').replace('2B', '18');
  return /^\d{13}$/.test(number) && 97 - Number(BigInt(number) % 97n) === Number(plain.slice(13));
}

/** What follows an IBAN may look like its last group: it is cut at its country's length. */
function isIban(written: string): boolean {
  const plain = written.replace(/[^A-Z\d]/g, '');
  const length = getCountrySpecifications()[plain.slice(0, 2)]?.chars;
  return length != null && isValidIBAN(plain.slice(0, length));
}

const kinds: readonly { code: TypedIn['code']; pattern: string; holds: (written: string) => boolean }[] = [
  {
    code: 'typed_in_mail_address',
    pattern: '[\\p{L}\\p{N}._%+\\-]{1,64}@(?:[\\p{L}\\p{N}-]{1,63}\\.){1,8}\\p{L}{2,24}',
    holds: () => true,
  },
  {
    code: 'typed_in_iban',
    pattern: `[A-Z]{2}\\d{2}(?:${blanks}[A-Z\\d]{4}){2,7}(?:${blanks}[A-Z\\d]{1,3})?`,
    holds: isIban,
  },
  { code: 'typed_in_social_security_number', pattern: socialSecurityNumber, holds: isSocialSecurityNumber },
  {
    code: 'typed_in_phone_number',
    pattern: '(?:\\+|00)?\\(?\\d(?:[ \\u00a0\\u202f.()/-]{0,2}\\d){7,14}',
    holds: (written) => parsePhoneNumberFromString(written, 'FR')?.isValid() ?? false,
  },
];

/**
 * Finds mail addresses, IBANs, French social security numbers and telephone numbers (French, or with a country code).
 * Each place is told once. @param text what was typed: without Liquid's marks.
 */
export function findTypedIn(text: string): TypedIn[] {
  const found: TypedIn[] = [];
  const taken = new Uint8Array(text.length);
  for (const { code, pattern, holds } of kinds) {
    let candidates = 0;
    for (const { index, 0: written } of text.matchAll(alone(pattern))) {
      candidates += 1;
      if (candidates > candidatesAtMost) break;
      if (taken[index] === 1 || !holds(written)) continue;
      taken.fill(1, index, index + written.length);
      found.push({ code, offset: index, text: written });
    }
  }
  return found.sort((one, other) => one.offset - other.offset);
}
