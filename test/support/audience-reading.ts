/** A plain reading of audience filters, one person at a time: what the SQL of the service is held against. */
import type { AttributeTest, AudienceFilter } from '../../src/recipients/audience/schema.ts';

/** What a filter may ask of somebody. */
export interface Person {
  id: string;
  type: string;
  locale: string | null;
  attributes: Record<string, unknown>;
  addresses: { kind: string; role: string | null; acceptsContact: boolean }[];
  householdOf: string | null;
  createdAt: string;
  responses: { type: string; ref: string }[];
}

/** When and where the question is asked. `member` is who `inHouseholdOf` names. */
export interface Circumstances {
  now: Date;
  timezone: string;
  idOf(reference: string): string | null;
}

/** The day a clock on the wall shows. */
function dayAt(instant: Date, timeZone: string): string {
  return instant.toLocaleDateString('sv-SE', { timeZone });
}

function later(day: string, days: number): string {
  const date = new Date(`${day}T12:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}

/** The day of a date as it is written, or null for what is none. */
function dayOf(value: unknown, timezone: string): string | null {
  if (typeof value !== 'string') return null;
  const written = /^(\d{4}-\d\d-\d\d)([T ](\d\d):(\d\d)(:(\d\d)(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/.exec(value);
  if (written === null) return null;
  const [, day = '', , hour = '0', minute = '0', , second = '0', fraction = '', offset] = written;
  const midnight = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || midnight.toISOString().slice(0, 10) !== day) return null;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  if (offset === undefined) return day;
  const [, sign, hours = '0', minutes = '0'] = /^([+-])(\d\d):?(\d\d)$/.exec(offset) ?? [];
  const east = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  const utc =
    midnight.getTime() + (Number(hour) * 60 + Number(minute) - east) * 60_000 + Number(second + fraction) * 1000;
  return dayAt(new Date(utc), timezone);
}

function valueAt(attributes: unknown, path: readonly string[]): unknown {
  let value = attributes;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    value = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
  }
  return value;
}

function attributeFits(test: AttributeTest, attributes: unknown, { now, timezone }: Circumstances): boolean {
  const value = valueAt(attributes, typeof test.name === 'string' ? test.name.split('.') : test.name);
  const number = typeof value === 'number' ? value : null;
  const day = dayOf(value, timezone);
  const today = dayAt(now, timezone);
  const least = (bound: number | string | undefined) =>
    bound === undefined ||
    (typeof bound === 'number' ? number !== null && number >= bound : day !== null && day >= bound);
  const most = (bound: number | string | undefined) =>
    bound === undefined ||
    (typeof bound === 'number' ? number !== null && number <= bound : day !== null && day <= bound);
  const from = (days: number | undefined) => days === undefined || least(later(today, days));
  const to = (days: number | undefined) => days === undefined || most(later(today, days));
  return (
    (test.is?.some((one) => one === value) ?? true) &&
    (test.contains?.some((one) => Array.isArray(value) && value.includes(one)) ?? true) &&
    (test.exists === undefined || test.exists === (value !== undefined && value !== null)) &&
    [least(test.from), most(test.to), from(test.fromDays), to(test.toDays)].every(Boolean)
  );
}

/** Whether a filter means somebody. */
export function fits(filter: AudienceFilter, person: Person, where: Circumstances): boolean {
  const inner = (one: AudienceFilter) => fits(one, person, where);
  const { hasAddress, respondedTo, inHouseholdOf, createdFrom, createdTo } = filter;
  const member = inHouseholdOf === undefined ? null : where.idOf(inHouseholdOf);
  const createdAt = new Date(person.createdAt);
  return [
    filter.all?.every(inner),
    filter.any?.some(inner),
    filter.not === undefined ? undefined : !inner(filter.not),
    filter.type?.includes(person.type),
    filter.locale?.some((one) => one === person.locale || (one?.length === 2 && person.locale?.startsWith(`${one}-`))),
    filter.attribute === undefined ? undefined : attributeFits(filter.attribute, person.attributes, where),
    hasAddress === undefined
      ? undefined
      : person.addresses.some(
          ({ kind, role, acceptsContact }) =>
            kind === hasAddress.kind &&
            (hasAddress.role ?? role) === role &&
            (hasAddress.acceptsContact ?? acceptsContact) === acceptsContact,
        ),
    createdFrom === undefined ? undefined : createdAt >= new Date(createdFrom),
    createdTo === undefined ? undefined : createdAt < new Date(createdTo),
    inHouseholdOf === undefined ? undefined : member !== null && [person.id, person.householdOf].includes(member),
    respondedTo === undefined
      ? undefined
      : person.responses.some(({ type, ref }) => type === respondedTo.type && ref === respondedTo.ref),
  ].every((held) => held ?? true);
}
