/**
 * Dates in templates, told from the message's own clock and zone only.
 *
 * LiquidJS formats through the machine's zone and reads the machine's clock: the same message would
 * then differ between two servers, and its content hash with it. So formatting is done here, with
 * `Intl`, and gives the same text everywhere.
 */

/** What a date filter may know: the message's instant, and how the tenant writes dates. */
export interface RenderClock {
  /** What `now` and `today` mean. */
  at: Date;
  /** IANA name, e.g. `Europe/Paris`. */
  timezone: string;
  /** BCP 47 tag, e.g. `fr-FR`: language of month and day names. */
  locale: string;
}

interface CivilTime {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Building an Intl format costs far more than using it. The cap holds should zones come from data. */
function cachedFormat(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale} ${JSON.stringify(options)}`;
  let format = formats.get(key);
  if (format === undefined) {
    if (formats.size >= 200) formats.clear();
    format = new Intl.DateTimeFormat(locale, options);
    formats.set(key, format);
  }
  return format;
}

const NUMBERS: Intl.DateTimeFormatOptions = {
  calendar: 'iso8601',
  numberingSystem: 'latn',
  hourCycle: 'h23',
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
};

function civilTimeAt(instant: Date, timezone: string): CivilTime {
  const civil: Record<string, number> = {};
  for (const part of cachedFormat('en-US', { ...NUMBERS, timeZone: timezone }).formatToParts(instant)) {
    civil[part.type] = Number(part.value);
  }
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = civil;
  return { year, month, day, hour, minute, second };
}

function asUtc(civil: CivilTime): number {
  return (
    new Date(0).setUTCFullYear(civil.year, civil.month - 1, civil.day) +
    ((civil.hour * 60 + civil.minute) * 60 + civil.second) * 1000
  );
}

/** Minutes east of Greenwich at that instant. */
function offsetMinutes(instant: Date, timezone: string): number {
  const wholeSeconds = Math.floor(instant.getTime() / 1000) * 1000;
  return Math.round((asUtc(civilTimeAt(instant, timezone)) - wholeSeconds) / 60_000);
}

/** The instant of a civil time. An hour that happens twice is its first; one that never happens moves on by the gap. */
function instantOf(civil: CivilTime, timezone: string): Date {
  const utc = asUtc(civil);
  const before = offsetMinutes(new Date(utc - 86_400_000), timezone);
  const after = offsetMinutes(new Date(utc + 86_400_000), timezone);
  const early = new Date(utc - before * 60_000);
  if (offsetMinutes(early, timezone) === before) return early;
  const late = new Date(utc - after * 60_000);
  return offsetMinutes(late, timezone) === after ? late : early;
}

const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d{1,9})?)?\s?(Z|[+-]\d\d:?\d\d)?)?$/i;

/**
 * The instant a template value means, or null when it is not a date.
 *
 * Read: `now` and `today`; seconds since 1970 as a number or digits; ISO 8601 dates and date-times. A
 * date-time without a zone is civil time in `timezone`. Nothing else is guessed: `05/03/2022` is two
 * different days on two sides of an ocean.
 */
export function readDate(value: unknown, clock: RenderClock): Date | null {
  if (value === 'now' || value === 'today') return clock.at;
  if (typeof value === 'number' || (typeof value === 'string' && /^\d{1,12}$/.test(value))) {
    return validDate(new Date(Number(value) * 1000));
  }
  if (typeof value !== 'string' || value.length > 40) return null;
  const [, year, month, day, hour = '0', minute = '0', second = '0', zone] = ISO.exec(value.trim()) ?? [];
  if (year === undefined || month === undefined || day === undefined) return null;
  const civil = {
    year: Number(year),
    month: Number(month),
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
  };
  const utc = new Date(asUtc(civil));
  const exists =
    utc.getUTCMonth() + 1 === civil.month &&
    utc.getUTCDate() === civil.day &&
    civil.hour < 24 &&
    civil.minute < 60 &&
    civil.second < 60;
  if (!exists) return null;
  if (zone === undefined) return validDate(instantOf(civil, clock.timezone));
  if (/^z$/i.test(zone)) return utc;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return new Date(utc.getTime() - (zone.startsWith('-') ? -minutes : minutes) * 60_000);
}

function validDate(date: Date): Date | null {
  // Four-digit years only: Intl counts others by era, and no mail means them.
  return date.getTime() >= -62_135_596_800_000 && date.getTime() <= 253_402_214_400_000 ? date : null;
}

function offsetText(minutes: number, colon: boolean): string {
  const size = Math.abs(minutes);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${colon ? ':' : ''}${two(size % 60)}`;
}

function isoWeek(midnight: number): { year: number; week: number } {
  const date = new Date(midnight);
  const thursday = new Date(midnight + (4 - (date.getUTCDay() || 7)) * 86_400_000);
  const start = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  return { year: thursday.getUTCFullYear(), week: Math.floor((thursday.getTime() - start) / 604_800_000) + 1 };
}

const COMPOUND: Record<string, string> = {
  F: '%Y-%m-%d',
  T: '%H:%M:%S',
  X: '%H:%M:%S',
  R: '%H:%M',
  D: '%m/%d/%y',
  r: '%I:%M:%S %p',
  v: '%e-%^b-%Y',
};

/** An instant in its civil time, as the directives read it. */
interface Moment {
  instant: Date;
  civil: CivilTime;
  clock: RenderClock;
  /** Whether `%z` is written with a colon. */
  colon: boolean;
  /** Midnight of the civil day, as if it were UTC. */
  midnight: number;
  weekday: number;
  yearDay: number;
  hour12: number;
  /** A name in the clock's language. */
  name(options: Intl.DateTimeFormatOptions): string;
}

type Directive = (moment: Moment) => [value: string | number, width?: number, pad?: string];

/** What each letter writes, and how it is padded. */
const DIRECTIVES: Readonly<Record<string, Directive>> = {
  a: ({ name }) => [name({ weekday: 'short' })],
  A: ({ name }) => [name({ weekday: 'long' })],
  b: ({ name }) => [name({ month: 'short' })],
  h: ({ name }) => [name({ month: 'short' })],
  B: ({ name }) => [name({ month: 'long' })],
  c: ({ name }) => [name({ dateStyle: 'long', timeStyle: 'short' })],
  x: ({ name }) => [name({ dateStyle: 'short' })],
  C: ({ civil }) => [Math.floor(civil.year / 100), 2],
  d: ({ civil }) => [civil.day, 2],
  e: ({ civil }) => [civil.day, 2, ' '],
  G: ({ midnight }) => [isoWeek(midnight).year],
  H: ({ civil }) => [civil.hour, 2],
  I: ({ hour12 }) => [hour12, 2],
  j: ({ yearDay }) => [yearDay, 3],
  k: ({ civil }) => [civil.hour, 2, ' '],
  l: ({ hour12 }) => [hour12, 2, ' '],
  L: ({ instant }) => [instant.getUTCMilliseconds(), 3],
  m: ({ civil }) => [civil.month, 2],
  M: ({ civil }) => [civil.minute, 2],
  n: () => ['\n'],
  N: ({ instant }) => [`${String(instant.getUTCMilliseconds()).padStart(3, '0')}000000`],
  p: ({ civil }) => [civil.hour < 12 ? 'AM' : 'PM'],
  P: ({ civil }) => [civil.hour < 12 ? 'am' : 'pm'],
  s: ({ instant }) => [Math.floor(instant.getTime() / 1000)],
  S: ({ civil }) => [civil.second, 2],
  t: () => ['\t'],
  u: ({ weekday }) => [weekday || 7],
  U: ({ yearDay, weekday }) => [Math.floor((yearDay + 6 - weekday) / 7), 2],
  V: ({ midnight }) => [isoWeek(midnight).week, 2],
  w: ({ weekday }) => [weekday],
  W: ({ yearDay, weekday }) => [Math.floor((yearDay + 6 - ((weekday + 6) % 7)) / 7), 2],
  y: ({ civil }) => [civil.year % 100, 2],
  Y: ({ civil }) => [civil.year],
  z: ({ instant, clock, colon }) => [offsetText(offsetMinutes(instant, clock.timezone), colon)],
  Z: ({ clock }) => [clock.timezone],
  '%': () => ['%'],
};

function momentOf(instant: Date, clock: RenderClock): Omit<Moment, 'colon'> {
  const civil = civilTimeAt(instant, clock.timezone);
  const midnight = asUtc({ ...civil, hour: 0, minute: 0, second: 0 });
  return {
    instant,
    civil,
    clock,
    midnight,
    weekday: new Date(midnight).getUTCDay(),
    yearDay: Math.floor((midnight - Date.UTC(civil.year, 0, 1)) / 86_400_000) + 1,
    hour12: civil.hour % 12 || 12,
    name: (options) => cachedFormat(clock.locale, { ...options, timeZone: clock.timezone }).format(instant),
  };
}

/**
 * Writes an instant with `strftime` directives, e.g. `%A %-d %B %Y à %H:%M` gives
 * `samedi 5 mars 2022 à 09:30` in French.
 *
 * Flags `-` (no padding), `_` (spaces), `0`, `^` (upper case), `:` (colon in `%z`) and a width of at
 * most two digits. An unknown directive stays as written.
 * @throws RangeError for a zone or locale `Intl` does not know.
 */
export function formatDate(instant: Date, format: string, clock: RenderClock): string {
  const moment = momentOf(instant, clock);
  return format.replace(/%([-_0^:]*)(\d{0,2})([A-Za-z%])/g, (written, flags: string, width: string, letter: string) => {
    const compound = COMPOUND[letter];
    if (compound !== undefined) return formatDate(instant, compound, clock);
    const directive = DIRECTIVES[letter];
    if (directive === undefined) return written;
    const [value, usualWidth = 0, usualPad = '0'] = directive({ ...moment, colon: flags.includes(':') });
    const text = flags.includes('^') ? String(value).toLocaleUpperCase(clock.locale) : String(value);
    if (flags.includes('-')) return text;
    const pad = flags.includes('_') ? ' ' : flags.includes('0') ? '0' : typeof value === 'string' ? ' ' : usualPad;
    return text.padStart(width === '' ? usualWidth : Number(width), pad);
  });
}
