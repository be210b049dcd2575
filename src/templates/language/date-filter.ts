/** Dates in templates: what a value means, and how `strftime` writes it, from the message's own clock and zone only. */
import {
  asUtc,
  instantOf,
  isoWeek,
  type Moment,
  momentOf,
  offsetMinutes,
  offsetText,
  type RenderClock,
} from './civil-time.ts';

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

const COMPOUND: Record<string, string> = {
  F: '%Y-%m-%d',
  T: '%H:%M:%S',
  X: '%H:%M:%S',
  R: '%H:%M',
  D: '%m/%d/%y',
  r: '%I:%M:%S %p',
  v: '%e-%^b-%Y',
};

type Directive = (moment: Moment & { colon: boolean }) => [value: string | number, width?: number, pad?: string];

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
