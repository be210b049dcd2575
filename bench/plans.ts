/** What a question would read, as PostgreSQL plans it. */
import { type SQL, sql } from 'drizzle-orm';
import type { Db } from '../src/db/client.ts';

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  Plans?: PlanNode[];
}

function readBy(node: PlanNode): string[] {
  const whole = node['Node Type'].endsWith('Seq Scan') ? [`all of ${node['Relation Name']}`] : [];
  const index = node['Index Name'] === undefined ? [] : [node['Index Name']];
  return [...whole, ...index, ...(node.Plans ?? []).flatMap(readBy)];
}

/** Names of the indexes it would use, and `all of <table>` for a table that would be read whole. */
export async function plannedReads(db: Db, question: SQL): Promise<string[]> {
  const [row] = await db.execute(sql`explain (format json) ${question}`);
  const [{ Plan: plan }] = (row as { 'QUERY PLAN': [{ Plan: PlanNode }] })['QUERY PLAN'];
  return [...new Set(readBy(plan))];
}
