import {
  type CountryCode,
  isSupportedCountry,
  type PhoneNumber,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max';

type Type = ReturnType<PhoneNumber['getType']>;

/** A number that can be called, or why it is none. */
export type TelephoneReading = { normalized: string; type: Type } | { why: string };

/** Where a number without a country code is dialled. */
export type Country = CountryCode;

/** The numbers of these are one plan: 0692 is dialled in Nantes as in Saint-Denis. */
const frenchPlan: ReadonlySet<string> = new Set(['FR', 'GP', 'BL', 'MF', 'GF', 'MQ', 'RE', 'YT', 'PM']);

/** Beginnings of the French plan that have a country code of their own (ARCEP). */
const overseas: readonly [code: string, begins: RegExp][] = [
  ['590', /^0(590|690|691)/],
  ['594', /^0(594|694)/],
  ['596', /^0(596|696|697)/],
  ['262', /^0(262|263|269|639|692|693)/],
];

const blanks = /[\s\u00a0\u202f\u2007\u2009]+/g;

/** The country of a locale's region; France where it has none that has telephones. */
export function countryOf(locale: string): Country {
  const [, region = ''] = /^[a-z]{2,3}(?:-[A-Z][a-z]{3})?-([A-Z]{2})\b/.exec(locale) ?? [];
  return !isSupportedCountry(region) || frenchPlan.has(region) ? 'FR' : region;
}

/** With its country code where the French plan has one for it. */
function withOverseasCode(text: string): string {
  const digits = text.replace(/\D/g, '');
  if (!/^0\d{9}$/.test(digits) || text.startsWith('+')) return text;
  const [code] = overseas.find(([, begins]) => begins.test(digits)) ?? [];
  return code === undefined ? text : `+${code}${digits.slice(1)}`;
}

/**
 * Reads a telephone number, as it is dialled in a country or with a country code (`+33`, `0033`).
 * `normalized` is E.164, with the extension as RFC 3966 writes it. Its type is undefined where the plan of its country,
 * as far as it is known here, gives such numbers to nobody: plans grow, so it is taken.
 */
export function readTelephone(text: string, country: Country): TelephoneReading {
  const written = text.replace(blanks, ' ').trim();
  const ours = country === 'FR' ? withOverseasCode(written) : written;
  const number = parsePhoneNumberFromString(ours, { defaultCountry: country, extract: false });
  if (number === undefined) return { why: 'it is not a telephone number' };
  // Numbers of the French plan never begin with 0 behind the code: one digit is missing, or one too many.
  const missing = number.countryCallingCode === '33' && number.nationalNumber.startsWith('0');
  if (!number.isPossible() || missing)
    return { why: 'it is not a telephone number: it has too few or too many digits' };
  const { number: normalized, ext } = number;
  return { normalized: ext === undefined ? normalized : `${normalized};ext=${ext}`, type: number.getType() };
}

/** Types that get no text messages, whatever the operator. */
const neverMobile: ReadonlySet<Type> = new Set(['FIXED_LINE', 'TOLL_FREE', 'PREMIUM_RATE', 'SHARED_COST']);

/** Why a number cannot be a mobile one, or null: what may be either is taken. */
export function notMobile({ normalized, type }: { normalized: string; type: Type }): string | null {
  if (neverMobile.has(type))
    return 'it is a number of a landline or a service, which gets no text messages: its kind is landline';
  return normalized.includes(';ext=') ? 'a mobile has no extension' : null;
}

/** What looks wrong with a number that was taken: that nobody has such, or that a landline is a mobile. */
export function telephoneDoubt(
  kind: 'mobile' | 'landline',
  normalized: string,
): 'telephone_looks_mistyped' | 'telephone_is_mobile' | null {
  const type = parsePhoneNumberFromString(normalized.split(';')[0] ?? '')?.getType();
  if (type === undefined) return 'telephone_looks_mistyped';
  return kind === 'landline' && type === 'MOBILE' ? 'telephone_is_mobile' : null;
}
