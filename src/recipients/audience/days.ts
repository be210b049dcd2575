import { createBoundedCache, keptIn } from '../../bounded-cache.ts';
import { instantOf } from '../../templates/language/civil-time.ts';
import { dateTimeFormat } from '../../templates/language/intl-formats.ts';
import type { AttributeTest } from './schema.ts';

/** What dates are told by: the moment of the question, and where the organisation's days begin. */
export interface Today {
  at: Date;
  /** IANA name. */
  timezone: string;
}

/** Days (`2026-11-23`), both included; null: no bound. */
export interface DaySpan {
  from: string | null;
  to: string | null;
}

const millisecondsOfDay = 86_400_000;

const numbers = {
  calendar: 'iso8601',
  numberingSystem: 'latn',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
} as const;

// What a filter asks of the calendar is nearly always what the one before asked, and takes as long as its question.
const daysKept = 1_000;
const civilDays = createBoundedCache<string>(daysKept);
const starts = createBoundedCache<string>(daysKept);
const spansKept = 100;
const spans = createBoundedCache<string>(spansKept);
/** Days from the first to the last of a span that is written out. */
const longestSpan = 400;

/** The civil day of an instant in a time zone: the same for its whole minute. */
function dayOf({ at, timezone }: Today): string {
  return keptIn(civilDays, `${Math.floor(at.getTime() / 60_000)} ${timezone}`, () => civilDay(at, timezone));
}

function civilDay(at: Date, timezone: string): string {
  const parts = dateTimeFormat('en-US', { ...numbers, timeZone: timezone }).formatToParts(at);
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? '';
  return `${part('year').padStart(4, '0')}-${part('month')}-${part('day')}`;
}

/**
 * A day some days later: counted on the calendar, so that no change of clocks moves it. Kept from 1000-01-01 to
 * 3000-01-01, the day after the last one that a date may have.
 */
export function addDays(day: string, days: number): string {
  const moved = new Date(Date.parse(`${day}T00:00:00Z`) + days * millisecondsOfDay).toISOString().slice(0, 10);
  if (moved.startsWith('-') || moved < '1000-01-01') return '1000-01-01';
  return moved.startsWith('+') || moved > '3000-01-01' ? '3000-01-01' : moved;
}

/** Each day of a span, with commas between; null where it has no end or is longer than anyone would write out. */
export function daysOf(span: DaySpan): string | null {
  const { from, to } = span;
  if (from === null || to === null || addDays(from, longestSpan) < to) return null;
  return keptIn(spans, `${from} ${to}`, () => {
    const days = Array.from({ length: longestSpan + 1 }, (_, later) => addDays(from, later));
    return [...new Set(days)].filter((day) => day <= to).join();
  });
}

/** The instant at which a civil day begins, RFC 3339. */
export function startOfDay(day: string, timezone: string): string {
  return keptIn(starts, `${day} ${timezone}`, () => {
    const [year = 0, month = 0, date = 0] = day.split('-').map(Number);
    return instantOf({ year, month, day: date, hour: 0, minute: 0, second: 0 }, timezone).toISOString();
  });
}

const latest = (days: string[]) => days.toSorted().at(-1) ?? null;
const earliest = (days: string[]) => days.toSorted().at(0) ?? null;
const isText = (bound: unknown): bound is string => typeof bound === 'string';

/** The days that a test of an attribute allows; null when it asks for no date. */
export function daySpanOf(test: AttributeTest, today: Today): DaySpan | null {
  const relative = (days: number | undefined) => (days === undefined ? [] : [addDays(dayOf(today), days)]);
  const from = latest([...[test.from].filter(isText), ...relative(test.fromDays)]);
  const to = earliest([...[test.to].filter(isText), ...relative(test.toDays)]);
  return from === null && to === null ? null : { from, to };
}
