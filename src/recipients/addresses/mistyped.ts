/** Mail addresses that look mistyped (`gmial.com`): somebody is told so, and nothing is stopped. */
import { distance } from 'fastest-levenshtein';
import { createBoundedCache } from '../../bounded-cache.ts';

/** Where people have their mail, by what stands before the first dot, with where it goes on. The usual one is first. */
const providers: Readonly<Record<string, readonly string[]>> = {
  gmail: ['com'],
  googlemail: ['com'],
  hotmail: ['fr', 'com', 'be', 'ch', 'it', 'es', 'de', 'co.uk'],
  outlook: ['fr', 'com', 'be', 'ch', 'it', 'es', 'de', 'pt'],
  live: ['fr', 'com', 'be', 'ch', 'it', 'nl', 'ca', 'co.uk'],
  msn: ['com'],
  yahoo: ['fr', 'com', 'ca', 'es', 'it', 'de', 'co.uk'],
  icloud: ['com'],
  orange: ['fr', 'com', 'be', 'es', 'ch'],
  wanadoo: ['fr'],
  laposte: ['net'],
  free: ['fr'],
  sfr: ['fr'],
  neuf: ['fr'],
  cegetel: ['net'],
  club: ['fr'],
  numericable: ['fr', 'com'],
  noos: ['fr'],
  bbox: ['fr'],
  aliceadsl: ['fr'],
  voila: ['fr'],
  'club-internet': ['fr'],
  protonmail: ['com', 'ch'],
  proton: ['me'],
  skynet: ['be'],
  telenet: ['be'],
  bluewin: ['ch'],
  sympatico: ['ca'],
  videotron: ['ca'],
};

/** Domains with mail that are near another and are no mistake, beside those of the providers. */
const known: ReadonlySet<string> = new Set([
  ...Object.entries(providers).flatMap(([label, endings]) => endings.map((ending) => `${label}.${ending}`)),
  ...[
    'mail.com',
    'email.com',
    'ymail.com',
    'rocketmail.com',
    'mail.fr',
    'mail.ru',
    'hmail.com',
    'fastmail.com',
    'fastmail.fm',
  ],
  ...['me.com', 'mac.com', 'aol.com', 'aol.fr', 'gmx.fr', 'gmx.com', 'gmx.net', 'gmx.de', 'gmx.ch', 'gmx.at', 'web.de'],
  ...[
    'laposte.fr',
    'groupelaposte.fr',
    'neuf.com',
    'free.com',
    'club.com',
    'live.net',
    'proton.com',
    'pm.me',
    'zoho.com',
  ],
  ...[
    'yahoo.com.br',
    'yahoo.co.jp',
    'yahoo.co.in',
    'yahoo.in',
    'yahoo.ie',
    'yahoo.gr',
    'yahoo.se',
    'yahoo.pl',
    'yahoo.ro',
  ],
  ...[
    'hotmail.nl',
    'hotmail.se',
    'hotmail.dk',
    'hotmail.no',
    'hotmail.ca',
    'hotmail.gr',
    'outlook.at',
    'outlook.ie',
    'outlook.dk',
  ],
  ...['live.se', 'live.dk', 'live.no', 'live.de', 'live.at', 'live.ie', 'live.cn', 'live.jp', 'live.ru', 'yahoo.be'],
]);

/** Endings that no domain has, and what was meant. */
const noEndings: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['con', 'cmo', 'ocm', 'vom', 'xom', 'cpm', 'coom', 'comm', 'cim', 'cok', 'c0m'].map((bad) => [bad, 'com']),
  ),
  ...Object.fromEntries(['rf', 'ft', 'fe', 'ffr', 'frr', 'fd', 'dr', 'fr-'].map((bad) => [bad, 'fr'])),
  ...Object.fromEntries(['ent', 'nte', 'nett', 'nrt', 'ner', 'nt', 'bet'].map((bad) => [bad, 'net'])),
  ...Object.fromEntries(['ogr', 'orgg', 'prg', 'irg', 'og'].map((bad) => [bad, 'org'])),
};

const isTransposed = (one: string, other: string): boolean => {
  if (one.length !== other.length) return false;
  const at = [...one].findIndex((letter, index) => letter !== other[index]);
  return one.slice(0, at) + one[at + 1] + one[at] + one.slice(at + 2) === other;
};

/** Typing errors between two words: letters that changed places are one. Counted to three. */
function errorsBetween(one: string, other: string): number {
  if (one === other) return 0;
  if (Math.abs(one.length - other.length) > 2) return 3;
  return isTransposed(one, other) ? 1 : Math.min(distance(one, other), 3);
}

/** How many errors a name may have and still be meant: short ones are too near to others. */
function toleratedIn(label: string): number {
  if (label.length < 5) return 0;
  return label.length < 7 ? 1 : 2;
}

/** Whether somebody who wrote `written` may have meant the provider. */
function mayMean(written: string, label: string): boolean {
  const errors = errorsBetween(written, label);
  if (errors === 0) return true;
  if (label.length === 4 && isTransposed(written, label)) return written[0] === label[0];
  if (errors > toleratedIn(label)) return false;
  // Errors begin at the first letter seldom, and other words differ there: grange, outdoor.
  const swapped = errors === 1 && (isTransposed(written, label) || label.slice(1) === written);
  return swapped || (written[0] === label[0] && (errors === 1 || written.at(-1) === label.at(-1)));
}

/** The ending that was meant, or null when it is none of the provider's and no error either. */
function endingOf(ending: string, endings: readonly string[]): string | null {
  if (endings.includes(ending)) return ending;
  const meant = noEndings[ending];
  if (meant !== undefined) return endings.includes(meant) ? meant : (endings[0] ?? null);
  // Two letters are a country, where the provider may well be; but these are what is left of .com.
  if (['co', 'cm', 'om'].includes(ending) && endings.includes('com')) return 'com';
  return endings.find((one) => ending.length > 2 && errorsBetween(ending, one) === 1) ?? null;
}

function suggestFor(domain: string): string | null {
  if (known.has(domain)) return null;
  const dot = domain.indexOf('.');
  const [label, ending] = [domain.slice(0, dot), domain.slice(dot + 1)];
  const near = Object.entries(providers)
    .flatMap(([name, endings]) => {
      const meant = mayMean(label, name) ? endingOf(ending, endings) : null;
      return meant === null ? [] : [{ name, ending: meant, errors: errorsBetween(label, name) }];
    })
    .sort((one, other) => one.errors - other.errors);
  const [best] = near;
  if (best !== undefined) return `${best.name}.${best.ending}`;
  const last = domain.lastIndexOf('.');
  const meant = noEndings[domain.slice(last + 1)];
  return meant === undefined ? null : `${domain.slice(0, last)}.${meant}`;
}

// Most addresses of an import are at the same few domains.
const suggestions = createBoundedCache<string | null>(5_000);

/**
 * The address that was probably meant, or null when nothing looks mistyped. Looks at the domain alone: well-known
 * providers within one or two typing errors, and endings that do not exist.
 * @param address as `parseAddrSpec` gives it.
 */
export function probablyMeant(address: string): string | null {
  const at = address.lastIndexOf('@');
  const domain = address.slice(at + 1);
  const known = suggestions.get(domain);
  const suggestion = known === undefined ? suggestFor(domain) : known;
  if (known === undefined) suggestions.set(domain, suggestion, 1);
  return suggestion === null ? null : `${address.slice(0, at)}@${suggestion}`;
}
