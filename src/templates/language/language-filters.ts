/** Amounts, numbers, plurals, dates in words and civilities, as the message's language writes them. */
import type { RenderClock } from './civil-time.ts';
import { readDate } from './date-filter.ts';
import { dateTimeFormat, numberFormat, pluralRules } from './intl-formats.ts';
import { formatPhpDate } from './php-date.ts';

/** A filter that knows the message's clock and language. What it cannot read it answers as it is. */
export type LanguageFilter = (clock: RenderClock, value: unknown, ...given: unknown[]) => unknown;

/**
 * A number, or a text of digits with a point. Nothing else is guessed: `1.234` is a thousand in one language, and a text
 * that is formatted already is left alone.
 */
function readNumber(value: unknown): number | bigint | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || value.length > 30) return null;
  const text = value.trim();
  if (/^-?\d+$/.test(text)) return BigInt(text);
  return /^-?\d+\.\d+$/.test(text) ? Number(text) : null;
}

function digitsOf(given: unknown): number | undefined {
  return typeof given === 'number' && Number.isInteger(given) && given >= 0 && given <= 10 ? given : undefined;
}

/** `1 234,56 €`: a narrow space between thousands, a no-break space before the sign. @param currency ISO 4217. */
const amount: LanguageFilter = ({ locale }, value, currency = 'EUR') => {
  const number = readNumber(value);
  if (number === null || typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency)) return value;
  return numberFormat(locale, { style: 'currency', currency }).format(number);
};

/** `1 234,5`. @param digits behind the comma, 0 to 10; default: as many as there are, three at most. */
const number: LanguageFilter = ({ locale }, value, digits) => {
  const read = readNumber(value);
  if (read === null) return value;
  const fraction = digitsOf(digits);
  const options = fraction === undefined ? {} : { minimumFractionDigits: fraction, maximumFractionDigits: fraction };
  return numberFormat(locale, options).format(read);
};

/** `3 pièces`, `1 pièce`, `0 pièce`: the number with the word that goes with it. In French less than two is one. */
const plural: LanguageFilter = ({ locale }, value, one, other) => {
  const read = readNumber(value);
  if (read === null || typeof one !== 'string') return value;
  const many = typeof other === 'string' ? other : `${one}s`;
  const word = pluralRules(locale, {}).select(Number(read)) === 'one' ? one : many;
  return `${numberFormat(locale, {}).format(read)}\u00a0${word}`;
};

/** Writes a date in French with PHP's letters, since `1er` is not what `Intl` knows; in other languages as `Intl` does. */
const dateAs =
  (french: string, others: Intl.DateTimeFormatOptions): LanguageFilter =>
  (clock, value) => {
    const instant = readDate(value, clock);
    if (instant === null) return value;
    if (clock.locale.startsWith('fr')) return formatPhpDate(instant, french, clock);
    return dateTimeFormat(clock.locale, { ...others, timeZone: clock.timezone }).format(instant);
  };

const civilities: readonly (readonly [written: readonly string[], long: string, short: string])[] = [
  [['m', 'mr', 'monsieur', 'h', 'homme'], 'Monsieur', 'M.'],
  [['mme', 'madame', 'f', 'femme'], 'Madame', 'Mme'],
  [['mlle', 'mademoiselle'], 'Mademoiselle', 'Mlle'],
  [['mm', 'messieurs'], 'Messieurs', 'MM.'],
  [['mmes', 'mesdames'], 'Mesdames', 'Mmes'],
  [['m et mme', 'mr et mme', 'monsieur et madame', 'm ou mme'], 'Madame, Monsieur', 'M. et Mme'],
  [['dr', 'docteur'], 'Docteur', 'Dr'],
  [['pr', 'professeur'], 'Professeur', 'Pr'],
  [['me', 'maitre', 'maître'], 'Maître', 'Me'],
];

/** `Madame` for `MME`, `Mme.` or `f`; `short`: `Mme`. One that is not known stays; none is `Madame, Monsieur`. */
const civility: LanguageFilter = (_clock, value, form) => {
  if (value === null || value === undefined || value === '') return form === 'short' ? '' : 'Madame, Monsieur';
  if (typeof value !== 'string') return value;
  const written = value.toLowerCase().replaceAll('.', '').replace(/\s+/g, ' ').trim();
  const known = civilities.find(([names]) => names.includes(written));
  return known === undefined ? value : form === 'short' ? known[2] : known[1];
};

/** By the name a template calls them. */
export const languageFilters: Readonly<Record<string, LanguageFilter>> = {
  amount,
  number,
  plural,
  civility,
  // `1er janvier 2026`, `5 mars 2022 à 09:30`.
  long_date: dateAs('jS F Y', { dateStyle: 'long' }),
  long_date_time: dateAs('jS F Y à H:i', { dateStyle: 'long', timeStyle: 'short' }),
};
