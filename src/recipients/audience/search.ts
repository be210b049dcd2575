import { and, desc, lt, type SQL, sql } from 'drizzle-orm';
import type { Clock } from '../../clock.ts';
import type { Db } from '../../db/client.ts';
import { planAnew } from '../../db/prepare.ts';
import { recipients } from '../../db/tables/people.ts';
import { getTenant } from '../../tenants/store.ts';
import { type RecipientWithAddresses, withAddresses } from '../store.ts';
import { checkAudience } from './check.ts';
import { audienceCondition } from './conditions.ts';
import type { AudienceFilter } from './schema.ts';

type Deps = { db: Db; clock: Clock };

async function conditionOf(deps: Deps, tenantId: string, filter: AudienceFilter): Promise<SQL> {
  const { dates } = checkAudience(filter, '/filter');
  // Days begin where the organisation is: it is asked only by filters that have some.
  const timezone = dates ? (await getTenant(deps.db, tenantId)).timezone : 'UTC';
  return audienceCondition(tenantId, filter, { at: deps.clock.now(), timezone });
}

/**
 * A page of the recipients that a filter means, newest first.
 * @throws AppError `unprocessable` naming what is wrong with the filter, which stands at `/filter`.
 */
export async function searchAudience(
  deps: Deps,
  tenantId: string,
  filter: AudienceFilter,
  page: { limit: number; before: string | null },
): Promise<RecipientWithAddresses[]> {
  const condition = await conditionOf(deps, tenantId, filter);
  const rows = await deps.db
    .select()
    .from(recipients)
    .where(and(sql`${condition}${planAnew}`, page.before === null ? undefined : lt(recipients.id, page.before)))
    .orderBy(desc(recipients.id))
    .limit(page.limit);
  return withAddresses(deps.db, tenantId, rows);
}

/** How many recipients a filter means, exactly. @throws AppError as {@link searchAudience}. */
export async function countAudience(deps: Deps, tenantId: string, filter: AudienceFilter): Promise<number> {
  const condition = await conditionOf(deps, tenantId, filter);
  const [row] = await deps.db
    .select({ count: sql<number>`count(*)::int` })
    .from(recipients)
    .where(sql`${condition}${planAnew}`);
  return row?.count ?? 0;
}
