import { createBoundedCache, keptIn } from '../../bounded-cache.ts';

/** The cap holds should languages and zones come from data. */
const formatsKept = 200;

/** Keeps what it has made for a language and its options: building an `Intl` format costs far more than using it. */
function keeping<Options, Format>(make: (locale: string, options: Options) => Format) {
  const kept = createBoundedCache<Format>(formatsKept);
  return (locale: string, options: Options): Format =>
    keptIn(kept, `${locale} ${JSON.stringify(options)}`, () => make(locale, options));
}

/** Dates and times of a language. @throws RangeError for a zone or locale `Intl` does not know. */
export const dateTimeFormat = keeping(
  (locale, options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(locale, options),
);
/** Numbers and amounts of a language. @throws RangeError for a currency or locale that is none. */
export const numberFormat = keeping(
  (locale, options: Intl.NumberFormatOptions) => new Intl.NumberFormat(locale, options),
);
/** Which form of a word goes with a number. @throws RangeError for a locale that is none. */
export const pluralRules = keeping((locale, options: Intl.PluralRulesOptions) => new Intl.PluralRules(locale, options));
