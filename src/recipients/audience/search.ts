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

function pageQuery(db: Db, condition: SQL, page: { limit: number; before: string | null }) {
  return db
    .select()
    .from(recipients)
    .where(and(sql`${condition}${planAnew}`, page.before === null ? undefined : lt(recipients.id, page.before)))
    .orderBy(desc(recipients.id))
    .limit(page.limit);
}

function countQuery(db: Db, condition: SQL) {
  return db.select({ count: sql<number>`count(*)::int` }).from(recipients).where(sql`${condition}${planAnew}`);
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
  const rows = await pageQuery(deps.db, await conditionOf(deps, tenantId, filter), page);
  return withAddresses(deps.db, tenantId, rows);
}

/** How many recipients a filter means, exactly. @throws AppError as {@link searchAudience}. */
export async function countAudience(deps: Deps, tenantId: string, filter: AudienceFilter): Promise<number> {
  const [row] = await countQuery(deps.db, await conditionOf(deps, tenantId, filter));
  return row?.count ?? 0;
}

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  Plans?: PlanNode[];
}

/** What a plan reads: names of indexes, and `(all of <table>)` for a table that is read whole. */
function readBy(node: PlanNode): string[] {
  const whole = node['Node Type'] === 'Seq Scan' ? [`(all of ${node['Relation Name']})`] : [];
  return [
    ...whole,
    ...(node['Index Name'] === undefined ? [] : [node['Index Name']]),
    ...(node.Plans ?? []).flatMap(readBy),
  ];
}

/** By which indexes PostgreSQL would count what a filter means, and find its first page: for those who tune it. */
export async function explainAudience(deps: Deps, tenantId: string, filter: AudienceFilter, limit: number) {
  const condition = await conditionOf(deps, tenantId, filter);
  const planOf = async (query: { getSQL(): SQL }) => {
    const [row] = await deps.db.execute(sql`explain (format json) ${query.getSQL()}`);
    const [{ Plan: plan }] = (row as { 'QUERY PLAN': [{ Plan: PlanNode }] })['QUERY PLAN'];
    return [...new Set(readBy(plan))];
  };
  return {
    count: await planOf(countQuery(deps.db, condition)),
    page: await planOf(pageQuery(deps.db, condition, { limit, before: null })),
  };
}
