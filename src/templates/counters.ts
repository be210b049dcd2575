import { sql } from 'drizzle-orm';
import type { Db, Tx } from '../db/client.ts';
import { idList } from '../db/rows.ts';

/** Messages made with a template, by status. Test messages are not counted. */
export interface TemplateCounters {
  E: number;
  V: number;
  OK: number;
  KO: number;
  B: number;
}

/** Counters of templates, from the messages themselves: never a number that could drift. */
export async function countByTemplate(
  db: Db | Tx,
  tenantId: string,
  templateIds: readonly string[],
): Promise<Map<string, TemplateCounters>> {
  const counters = new Map(templateIds.map((id) => [id, { E: 0, V: 0, OK: 0, KO: 0, B: 0 }]));
  const rows = await db.execute<{ template_id: string; status: keyof TemplateCounters; count: number }>(sql`
    select template_id, status, count(*)::int as count from messages
    where tenant_id = ${tenantId} and template_id = any(${idList(templateIds)}) and not test
    group by template_id, status`);
  for (const { template_id, status, count } of rows) {
    const entry = counters.get(template_id);
    if (entry !== undefined) entry[status] = count;
  }
  return counters;
}
