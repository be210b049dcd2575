import { type SQL, sql } from 'drizzle-orm';
import type { Clock } from '../../clock.ts';
import type { Db } from '../../db/client.ts';
import { tableRowsOf } from '../../db/rows.ts';
import { recipients } from '../../db/tables/people.ts';
import type { Caller } from '../../tenants/rights.ts';
import type { RecipientAddress } from '../addresses/read-addresses.ts';
import type { RecipientWithAddresses } from '../store.ts';
import { checkAudience } from './check.ts';
import { audienceCondition } from './conditions.ts';
import type { Today } from './days.ts';
import type { AudienceFilter } from './schema.ts';

type Deps = { db: Db; clock: Clock };

/** Whose recipients, and the time zone in which their days are told. */
type Organisation = Pick<Caller, 'tenantId' | 'timezone'>;

/** When it is, and where. */
const todayOf = (clock: Clock, { timezone }: Organisation): Today => ({ at: clock.now(), timezone });

/** An address as the page brings it: lists are less work than objects, which say the names of their fields each time. */
type AddressValues = [
  RecipientAddress['kind'],
  RecipientAddress['value'],
  RecipientAddress['normalized'],
  RecipientAddress['role'],
  RecipientAddress['preferred'],
  RecipientAddress['acceptsContact'],
];

function addressOf([kind, value, normalized, role, preferred, acceptsContact]: AddressValues): RecipientAddress {
  return { kind, value, normalized, role, preferred, acceptsContact };
}

/**
 * Whether nothing in a filter can be rare as far as PostgreSQL knows: at most one type, whose index is walked from its
 * end however few have it, and ranges, of which it knows nothing.
 */
function isWalked({ type, attribute, all, ...others }: AudienceFilter): boolean {
  const byValue = attribute?.is !== undefined || attribute?.contains !== undefined;
  const single = type === undefined || type.length === 1;
  return single && !byValue && Object.keys(others).length === 0 && (all ?? []).every(isWalked);
}

/**
 * What asks for a page of an audience, newest first, with their addresses: asked apart, they would cost half as much
 * again. Where something may be rare PostgreSQL plans each page for the values of its filter: it does not know the limit
 * beforehand and would expect a tenth of all. What is walked is planned once, because it expects a tenth of five
 * hundred there. @param page its limit is at most 500.
 */
export function audiencePage(
  tenantId: string,
  filter: AudienceFilter,
  today: Today,
  { limit, before }: { limit: number; before: string | null },
): SQL {
  const rest = before === null ? sql`` : sql` and recipients.id < ${before}`;
  const found = sql`select recipients.*, (
      select json_agg(json_build_array(kind, value, normalized, role, preferred, accepts_contact) order by position)
      from recipient_addresses as own where own.tenant_id = recipients.tenant_id and own.recipient_id = recipients.id
    ) as addresses
    from recipients where ${audienceCondition(tenantId, filter, today)}${rest} order by recipients.id desc`;
  if (!isWalked(filter)) return sql`${found} limit ${limit}`;
  return sql`select * from (${found} limit 500) as walked order by id desc limit ${limit}`;
}

/** What counts an audience. */
export function audienceCount(tenantId: string, filter: AudienceFilter, today: Today): SQL {
  return sql`select count(*)::int as count from ${recipients} where ${audienceCondition(tenantId, filter, today)}`;
}

/**
 * A page of the recipients that a filter means, newest first.
 * @throws AppError `unprocessable` naming what is wrong with the filter, which stands at `/filter`.
 */
export async function searchAudience(
  { db, clock }: Deps,
  organisation: Organisation,
  filter: AudienceFilter,
  page: { limit: number; before: string | null },
): Promise<RecipientWithAddresses[]> {
  checkAudience(filter, '/filter');
  const answered = await db.execute<{ addresses: AddressValues[] | null }>(
    audiencePage(organisation.tenantId, filter, todayOf(clock, organisation), page),
  );
  return tableRowsOf(recipients, answered).map((row, index) => {
    const addresses = answered[index]?.addresses ?? [];
    return { ...row, addresses: addresses.map(addressOf) };
  });
}

/** How many recipients a filter means, exactly. @throws AppError as {@link searchAudience}. */
export async function countAudience(
  { db, clock }: Deps,
  organisation: Organisation,
  filter: AudienceFilter,
): Promise<number> {
  checkAudience(filter, '/filter');
  const [row] = await db.execute<{ count: number }>(
    audienceCount(organisation.tenantId, filter, todayOf(clock, organisation)),
  );
  return row?.count ?? 0;
}
