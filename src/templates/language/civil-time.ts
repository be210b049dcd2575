/**
 * Instants and the civil time they are in a zone, told by `Intl` from the given zone only: the machine's own zone and clock
 * would make the same message differ between two servers, and its content hash with it.
 */

import { dateTimeFormat } from './intl-formats.ts';

/** What a date filter may know: the message's instant, and how the tenant writes dates. */
export interface RenderClock {
  /** What `now` and `today` mean. */
  at: Date;
  /** IANA name, e.g. `Europe/Paris`. */
  timezone: string;
  /** BCP 47 tag, e.g. `fr-FR`: language of month and day names. */
  locale: string;
}

/** What a clock on the wall shows. */
export interface CivilTime {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
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
  for (const part of dateTimeFormat('en-US', { ...NUMBERS, timeZone: timezone }).formatToParts(instant)) {
    civil[part.type] = Number(part.value);
  }
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = civil;
  return { year, month, day, hour, minute, second };
}

/** Milliseconds of that civil time, as if its zone were UTC. */
export function asUtc(civil: CivilTime): number {
  return (
    new Date(0).setUTCFullYear(civil.year, civil.month - 1, civil.day) +
    ((civil.hour * 60 + civil.minute) * 60 + civil.second) * 1000
  );
}

/** Minutes east of Greenwich at that instant. */
export function offsetMinutes(instant: Date, timezone: string): number {
  const wholeSeconds = Math.floor(instant.getTime() / 1000) * 1000;
  return Math.round((asUtc(civilTimeAt(instant, timezone)) - wholeSeconds) / 60_000);
}

/** The instant of a civil time. An hour that happens twice is its first; one that never happens moves on by the gap. */
export function instantOf(civil: CivilTime, timezone: string): Date {
  const utc = asUtc(civil);
  const before = offsetMinutes(new Date(utc - 86_400_000), timezone);
  const after = offsetMinutes(new Date(utc + 86_400_000), timezone);
  const early = new Date(utc - before * 60_000);
  if (offsetMinutes(early, timezone) === before) return early;
  const late = new Date(utc - after * 60_000);
  return offsetMinutes(late, timezone) === after ? late : early;
}

/** `+02:00`, or `+0200` without a colon. */
export function offsetText(minutes: number, colon: boolean): string {
  const size = Math.abs(minutes);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${colon ? ':' : ''}${two(size % 60)}`;
}

/** ISO 8601 week of a day, and the year it belongs to. @param midnight of the civil day, as if it were UTC. */
export function isoWeek(midnight: number): { year: number; week: number } {
  const date = new Date(midnight);
  const thursday = new Date(midnight + (4 - (date.getUTCDay() || 7)) * 86_400_000);
  const start = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  return { year: thursday.getUTCFullYear(), week: Math.floor((thursday.getTime() - start) / 604_800_000) + 1 };
}

/** An instant in its civil time, as the directives read it. */
export interface Moment {
  instant: Date;
  civil: CivilTime;
  clock: RenderClock;
  /** Midnight of the civil day, as if it were UTC. */
  midnight: number;
  weekday: number;
  yearDay: number;
  hour12: number;
  /** A name in the clock's language. */
  name(options: Intl.DateTimeFormatOptions): string;
}

/** @throws RangeError for a zone or locale `Intl` does not know. */
export function momentOf(instant: Date, clock: RenderClock): Moment {
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
    name: (options) => dateTimeFormat(clock.locale, { ...options, timeZone: clock.timezone }).format(instant),
  };
}

/** The midnight that began the civil day so many days before that of an instant. */
export function midnightDaysAgo(instant: Date, timezone: string, days: number): Date {
  const civil = civilTimeAt(instant, timezone);
  const then = new Date(Date.UTC(civil.year, civil.month - 1, civil.day - days));
  const day = { year: then.getUTCFullYear(), month: then.getUTCMonth() + 1, day: then.getUTCDate() };
  return instantOf({ ...day, hour: 0, minute: 0, second: 0 }, timezone);
}
