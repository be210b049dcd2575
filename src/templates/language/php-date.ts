/**
 * Dates in the letters of PHP (`j F Y à H:i`), which templates of older applications use (J2), with the names of the
 * message's own language. https://www.php.net/manual/en/datetime.format.php
 */
import { asUtc, isoWeek, type Moment, momentOf, offsetMinutes, offsetText, type RenderClock } from './civil-time.ts';
import { dateTimeFormat, pluralRules } from './intl-formats.ts';

type Letter = (moment: Moment) => string | number;

const two = (value: number): string => String(value).padStart(2, '0');

function daysInMonth({ civil }: Moment): number {
  return new Date(asUtc({ ...civil, month: civil.month + 1, day: 0, hour: 0, minute: 0, second: 0 })).getUTCDate();
}

const isLeap = ({ civil: { year } }: Moment): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

const offset = ({ instant, clock }: Moment): number => offsetMinutes(instant, clock.timezone);

/** Summer time: the clock is ahead of what it is in one half of the year. */
function isSummerTime(moment: Moment): boolean {
  const { civil, clock } = moment;
  const halves = [0, 6].map((month) => offsetMinutes(new Date(Date.UTC(civil.year, month, 1)), clock.timezone));
  return offset(moment) > Math.min(...halves);
}

/** What follows the number of the day: `1er` in French, nothing after the others. English has its own four. */
function ordinal({ civil: { day }, clock }: Moment): string {
  if (clock.locale.startsWith('fr')) return day === 1 ? 'er' : '';
  if (!clock.locale.startsWith('en')) return '';
  const endings = { one: 'st', two: 'nd', few: 'rd', other: 'th', zero: 'th', many: 'th' };
  return endings[pluralRules('en', { type: 'ordinal' }).select(day)];
}

/** RFC 5322 dates are in English whatever the language. */
const inEnglish = (moment: Moment): Moment => momentOf(moment.instant, { ...moment.clock, locale: 'en-US' });

function abbreviation({ instant, clock }: Moment): string {
  // French has no letters for its own zone; British English says CET and CEST.
  const format = dateTimeFormat('en-GB', { timeZone: clock.timezone, timeZoneName: 'short' });
  return format.formatToParts(instant).find(({ type }) => type === 'timeZoneName')?.value ?? clock.timezone;
}

/** Swatch beats: thousandths of a day in the zone of Biel, an hour east of Greenwich. */
function beats({ instant }: Moment): string {
  const seconds = (Math.floor(instant.getTime() / 1_000) + 3_600) % 86_400;
  return String(Math.floor((seconds < 0 ? seconds + 86_400 : seconds) / 86.4)).padStart(3, '0');
}

const write = (format: string) => (moment: Moment) => writeLetters(moment, format);

const letters: Readonly<Record<string, Letter>> = {
  d: ({ civil }) => two(civil.day),
  D: ({ name }) => name({ weekday: 'short' }),
  j: ({ civil }) => civil.day,
  l: ({ name }) => name({ weekday: 'long' }),
  N: ({ weekday }) => weekday || 7,
  S: ordinal,
  w: ({ weekday }) => weekday,
  z: ({ yearDay }) => yearDay - 1,
  W: ({ midnight }) => two(isoWeek(midnight).week),
  F: ({ name }) => name({ month: 'long' }),
  m: ({ civil }) => two(civil.month),
  M: ({ name }) => name({ month: 'short' }),
  n: ({ civil }) => civil.month,
  t: daysInMonth,
  L: (moment) => (isLeap(moment) ? 1 : 0),
  o: ({ midnight }) => isoWeek(midnight).year,
  x: ({ civil }) => civil.year,
  X: ({ civil }) => `+${civil.year}`,
  Y: ({ civil }) => String(civil.year).padStart(4, '0'),
  y: ({ civil }) => two(civil.year % 100),
  a: ({ civil }) => (civil.hour < 12 ? 'am' : 'pm'),
  A: ({ civil }) => (civil.hour < 12 ? 'AM' : 'PM'),
  B: beats,
  g: ({ hour12 }) => hour12,
  G: ({ civil }) => civil.hour,
  h: ({ hour12 }) => two(hour12),
  H: ({ civil }) => two(civil.hour),
  i: ({ civil }) => two(civil.minute),
  s: ({ civil }) => two(civil.second),
  u: ({ instant }) => `${String(instant.getUTCMilliseconds()).padStart(3, '0')}000`,
  v: ({ instant }) => String(instant.getUTCMilliseconds()).padStart(3, '0'),
  e: ({ clock }) => clock.timezone,
  I: (moment) => (isSummerTime(moment) ? 1 : 0),
  O: (moment) => offsetText(offset(moment), false),
  P: (moment) => offsetText(offset(moment), true),
  p: (moment) => (offset(moment) === 0 ? 'Z' : offsetText(offset(moment), true)),
  T: abbreviation,
  Z: (moment) => offset(moment) * 60,
  c: write('Y-m-d\\TH:i:sP'),
  r: (moment) => write('D, d M Y H:i:s O')(inEnglish(moment)),
  U: ({ instant }) => Math.floor(instant.getTime() / 1_000),
};

function writeLetters(moment: Moment, format: string): string {
  return format.replace(/\\([\s\S])|[A-Za-z]/g, (letter, escaped?: string) =>
    escaped === undefined ? String(letters[letter]?.(moment) ?? letter) : escaped,
  );
}

/**
 * Writes an instant with PHP's letters: `l j F Y à H:i` gives `samedi 5 mars 2022 à 09:30` in French, `jS F` gives
 * `1er janvier`. A backslash keeps the letter behind it; what is no letter of PHP stays as written.
 * @throws RangeError for a zone or locale `Intl` does not know.
 */
export function formatPhpDate(instant: Date, format: string, clock: RenderClock): string {
  return writeLetters(momentOf(instant, clock), format);
}
