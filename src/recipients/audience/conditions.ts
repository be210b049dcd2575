import { and, eq, gte, inArray, lt, or, type SQL, sql } from 'drizzle-orm';
import { recipientAddresses, recipients, responses } from '../../db/tables/people.ts';
import { parseRecipientReference } from '../reference.ts';
import { pathOf } from './check.ts';
import { addDays, type DaySpan, daySpanOf, daysOf, startOfDay, type Today } from './days.ts';
import type { AttributeTest, AttributeValue, AudienceFilter } from './schema.ts';

/** Whose recipients, and what day it is. */
interface Question {
  tenantId: string;
  today: Today;
}

/** Not as a column: drizzle takes long to tell one from whatever else may stand in a statement. */
const attributes = sql`recipients.attributes`;

/** A list of JSON texts as one array parameter. */
function jsonList(texts: readonly string[]): SQL {
  const quoted = texts.map((text) => `"${text.replace(/[\\"]/g, '\\$&')}"`);
  return sql`${`{${quoted.join(',')}}`}::jsonb[]`;
}

/**
 * Attributes that have one of these values there. Asked by containment, which the index of attributes answers.
 * The documents are put together as text: an object could not hold every name.
 */
function has(path: readonly string[], values: readonly AttributeValue[], list: boolean): SQL {
  const documents = values.map((value) => {
    const written = JSON.stringify(value);
    return path.reduceRight((inner, name) => `{${JSON.stringify(name)}:${inner}}`, list ? `[${written}]` : written);
  });
  const [only] = documents;
  return documents.length === 1 && only !== undefined
    ? sql`${attributes} @> ${only}::jsonb`
    : sql`${attributes} @> any(${jsonList(documents)})`;
}

/** By names only: the other operators would take a number for a place in a list. */
function valueAt(path: readonly string[]): SQL {
  return path.reduce<SQL>((outer, name) => sql`${outer} -> ${name}::text`, attributes);
}

function textAt(path: readonly string[]): SQL {
  const outer = valueAt(path.slice(0, -1));
  return sql`(${outer} ->> ${path.at(-1) ?? ''}::text) collate "C"`;
}

/**
 * Compared as the numbers that they are by then: as JSON they would be told from all other kinds once more.
 * Ranges are one expression each, of which the planner assumes that half fit. Written one by one, bounds would look as
 * if nobody did: the first page would be sorted out of all, rather than met on the way.
 */
function numberBetween(path: readonly string[], from: unknown, to: unknown): SQL | undefined {
  const value = valueAt(path);
  const bounds = and(
    typeof from === 'number' ? sql`(${value})::numeric >= ${JSON.stringify(from)}::numeric` : undefined,
    typeof to === 'number' ? sql`(${value})::numeric <= ${JSON.stringify(to)}::numeric` : undefined,
  );
  if (bounds === undefined) return undefined;
  return sql`case jsonb_typeof(${value}) when 'number' then ${bounds} else false end`;
}

const year = '[12][0-9]{3}';
const day = [
  `${year}-(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])`,
  `${year}-(0[469]|11)-(0[1-9]|[12][0-9]|30)`,
  `${year}-02-(0[1-9]|1[0-9]|2[0-8])`,
  '[12][0-9](0[48]|[2468][048]|[13579][26])-02-29',
  '(1[26]|2[048])00-02-29',
].join('|');
const time = '[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?';
const offset = '(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])';
// Only what PostgreSQL can read may reach a cast: a day that does not exist would end the whole question.
const civil = sql.raw(`'^(${day})(${time})?$'`.replaceAll('(', '(?:'));
const instant = sql.raw(`'^(${day})${time}${offset}$'`.replaceAll('(', '(?:'));

/** Instants of one day begin and end on days that are up to two others elsewhere. */
const daysApart = 2;

/**
 * A text that is a date within these days: a day or a civil time by its own day, an instant by its day in the time
 * zone. What is no date fits nothing. Plain days, which most are, are looked up among those of the span, so that no
 * pattern is held against them.
 */
function dateWithin(path: readonly string[], { from, to }: DaySpan, { timezone }: Today): SQL {
  const text = textAt(path);
  const own = sql`left(${text}, 10)`;
  const beyond = or(
    from === null ? undefined : sql`${text} < ${addDays(from, -daysApart)}`,
    to === null ? undefined : sql`${text} >= ${addDays(to, daysApart + 1)}`,
  );
  const byDay = and(from === null ? undefined : sql`${own} >= ${from}`, to === null ? undefined : sql`${own} <= ${to}`);
  const begins = from === null ? undefined : startOfDay(from, timezone);
  const ends = to === null ? undefined : startOfDay(addDays(to, 1), timezone);
  const byInstant = and(
    begins === undefined ? undefined : sql`${text}::timestamptz >= ${begins}::timestamptz`,
    ends === undefined ? undefined : sql`${text}::timestamptz < ${ends}::timestamptz`,
  );
  const days = daysOf({ from, to });
  const plain =
    days === null
      ? sql``
      : sql`when length(${text}) = 10 then ${text} between ${from} and ${to} and ${text} = any(${`{${days}}`}::text[])`;
  return sql`case ${plain} when ${beyond} then false when ${text} ~ ${civil} then ${byDay}
    when ${text} ~ ${instant} then ${byInstant} else false end`;
}

function attributeCondition(test: AttributeTest, { today }: Question): SQL | undefined {
  const path = pathOf(test);
  const span = daySpanOf(test, today);
  const kind = sql`coalesce(jsonb_typeof(${valueAt(path)}), 'null')`;
  return and(
    test.is === undefined ? undefined : has(path, test.is, false),
    test.contains === undefined ? undefined : has(path, test.contains, true),
    test.exists === undefined ? undefined : test.exists ? sql`${kind} <> 'null'` : sql`${kind} = 'null'`,
    numberBetween(path, test.from, test.to),
    span === null ? undefined : dateWithin(path, span, today),
  );
}

function localeCondition(wanted: readonly (string | null)[]): SQL | undefined {
  const exact = wanted.filter((one) => one !== null);
  const languages = exact.filter((one) => one.length === 2);
  return or(
    exact.length === 0 ? undefined : inArray(recipients.locale, exact),
    languages.length === 0 ? undefined : sql`left(${recipients.locale}, 2) in ${languages}`,
    wanted.includes(null) ? sql`${recipients.locale} is null` : undefined,
  );
}

function addressCondition({ kind, role, acceptsContact }: NonNullable<AudienceFilter['hasAddress']>): SQL {
  const such = and(
    eq(recipientAddresses.tenantId, recipients.tenantId),
    eq(recipientAddresses.recipientId, recipients.id),
    eq(recipientAddresses.kind, kind),
    role === undefined ? undefined : eq(recipientAddresses.role, role),
    acceptsContact === undefined ? undefined : eq(recipientAddresses.acceptsContact, acceptsContact),
  );
  return sql`exists (select 1 from ${recipientAddresses} where ${such})`;
}

function householdCondition(reference: string, { tenantId }: Question): SQL {
  const named = parseRecipientReference(reference);
  if (named === null) return sql`false`;
  const member =
    named.kind === 'id'
      ? sql`${named.id}::uuid`
      : sql`(select member.id from ${recipients} as member where member.tenant_id = ${tenantId}
          and member.type = ${named.type} and member.external_id = ${named.externalId})`;
  return sql`(${recipients.id} = ${member} or ${recipients.householdOf} = ${member})`;
}

function responseCondition({ type, ref }: NonNullable<AudienceFilter['respondedTo']>): SQL {
  const such = and(
    eq(responses.tenantId, recipients.tenantId),
    eq(responses.contextType, type),
    eq(responses.contextRef, ref),
    eq(responses.recipientId, recipients.id),
  );
  return sql`exists (select 1 from ${responses} where ${such})`;
}

function holds(filter: AudienceFilter, question: Question): SQL {
  const { all, any, not, type, locale, attribute, hasAddress, createdFrom, createdTo } = filter;
  const { inHouseholdOf, respondedTo } = filter;
  const given = and(
    type === undefined ? undefined : inArray(recipients.type, type),
    locale === undefined ? undefined : localeCondition(locale),
    attribute === undefined ? undefined : attributeCondition(attribute, question),
    hasAddress === undefined ? undefined : addressCondition(hasAddress),
    createdFrom === undefined ? undefined : gte(recipients.createdAt, new Date(createdFrom)),
    createdTo === undefined ? undefined : lt(recipients.createdAt, new Date(createdTo)),
    inHouseholdOf === undefined ? undefined : householdCondition(inHouseholdOf, question),
    respondedTo === undefined ? undefined : responseCondition(respondedTo),
    ...(all ?? []).map((inner) => holds(inner, question)),
    any === undefined ? undefined : or(...any.map((inner) => holds(inner, question))),
    not === undefined ? undefined : without(not, question),
  );
  return given ?? sql`true`;
}

/** A condition on what somebody does not have is unknown to SQL, and its contrary too: here it does not hold. */
function without(filter: AudienceFilter, question: Question): SQL {
  const alone = Object.keys(filter).length === 1;
  // These are never unknown, and a plain "not exists" can be asked of all at once.
  if (alone && (filter.hasAddress !== undefined || filter.respondedTo !== undefined)) {
    return sql`not ${holds(filter, question)}`;
  }
  return sql`(${holds(filter, question)}) is not true`;
}

/** The condition on `recipients` of a filter that was checked (`checkAudience`), always within its tenant. */
export function audienceCondition(tenantId: string, filter: AudienceFilter, today: Today): SQL {
  return sql`${recipients.tenantId} = ${tenantId} and ${holds(filter, { tenantId, today })}`;
}
