import { desc, getTableColumns, type SQL, sql } from 'drizzle-orm';
import type { Clock } from '../../clock.ts';
import type { Db } from '../../db/client.ts';
import { recipientAddresses, recipients } from '../../db/tables/people.ts';
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

/** With the person, so that a page is one question: asked apart, they would cost half as much again. */
const addresses = sql<RecipientAddress[] | null>`(
  select json_agg(json_build_object('kind', kind, 'value', value, 'normalized', normalized, 'role', role,
    'preferred', preferred, 'acceptsContact', accepts_contact) order by position)
  from ${recipientAddresses} as own where own.tenant_id = ${recipients.tenantId} and own.recipient_id = ${recipients.id}
)`;

/**
 * What asks for a page of an audience (`audienceCondition`), newest first, with their addresses. Its limit is a parameter:
 * without its value PostgreSQL would expect a tenth of all, and so plans the page anew for the values of each filter.
 */
export function audiencePage(db: Db, condition: SQL, page: { limit: number; before: string | null }) {
  const rest = page.before === null ? sql`` : sql` and ${recipients.id} < ${page.before}`;
  return db
    .select({ ...getTableColumns(recipients), addresses })
    .from(recipients)
    .where(sql`${condition}${rest}`)
    .orderBy(desc(recipients.id))
    .limit(page.limit);
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
  const rows = await audiencePage(db, conditionOf(clock, organisation, filter), page);
  return rows.map((row) => ({ ...row, addresses: row.addresses ?? [] }));
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
