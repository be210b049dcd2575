import { type SQL, sql } from 'drizzle-orm';
import type { Clock } from '../../clock.ts';
import type { Db } from '../../db/client.ts';
import { rowsOf } from '../../db/rows.ts';
import { recipients } from '../../db/tables/people.ts';
import type { Caller } from '../../tenants/rights.ts';
import type { RecipientAddress } from '../addresses/read-addresses.ts';
import type { RecipientWithAddresses } from '../store.ts';
import { checkAudience } from './check.ts';
import { audienceCondition } from './conditions.ts';
import type { AudienceFilter } from './schema.ts';

/** Whose recipients, and the time zone in which their days are told. */
type Organisation = Pick<Caller, 'tenantId' | 'timezone'>;

function conditionOf(clock: Clock, { tenantId, timezone }: Organisation, filter: AudienceFilter): SQL {
  checkAudience(filter, '/filter');
  return audienceCondition(tenantId, filter, { at: clock.now(), timezone });
}

/** An address as the page brings it: lists are half the work of objects, which say the names of their fields each time. */
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
 * What asks for a page of an audience (`audienceCondition`), newest first, with their addresses: asked apart, they would
 * cost half as much again. The limit is a parameter: without its value PostgreSQL would expect a tenth of all, and so
 * plans the page anew for the values of each filter.
 */
export function audiencePage(condition: SQL, { limit, before }: { limit: number; before: string | null }): SQL {
  const rest = before === null ? sql`` : sql` and recipients.id < ${before}`;
  return sql`select recipients.*, (
      select json_agg(json_build_array(kind, value, normalized, role, preferred, accepts_contact) order by position)
      from recipient_addresses as own where own.tenant_id = recipients.tenant_id and own.recipient_id = recipients.id
    ) as addresses
    from recipients where ${condition}${rest} order by recipients.id desc limit ${limit}`;
}

/** What counts an audience. */
export function audienceCount(condition: SQL): SQL {
  return sql`select count(*)::int as count from ${recipients} where ${condition}`;
}

/**
 * A page of the recipients that a filter means, newest first.
 * @throws AppError `unprocessable` naming what is wrong with the filter, which stands at `/filter`.
 */
export async function searchAudience(
  { db, clock }: { db: Db; clock: Clock },
  organisation: Organisation,
  filter: AudienceFilter,
  page: { limit: number; before: string | null },
): Promise<RecipientWithAddresses[]> {
  const answered = await db.execute<{ addresses: AddressValues[] | null }>(
    audiencePage(conditionOf(clock, organisation, filter), page),
  );
  return rowsOf(recipients, answered).map((row, index) => {
    const addresses = answered[index]?.addresses ?? [];
    return { ...row, addresses: addresses.map(addressOf) };
  });
}

/** How many recipients a filter means, exactly. @throws AppError as {@link searchAudience}. */
export async function countAudience(
  { db, clock }: { db: Db; clock: Clock },
  organisation: Organisation,
  filter: AudienceFilter,
): Promise<number> {
  const [row] = await db.execute<{ count: number }>(audienceCount(conditionOf(clock, organisation, filter)));
  return row?.count ?? 0;
}
