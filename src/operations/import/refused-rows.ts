import { sql } from 'drizzle-orm';
import type { Db } from '../../db/client.ts';
import { at } from '../../db/rows.ts';

/**
 * Forgets, of the refused rows of imports that ended before, what a file may have put into it: names of members, and what
 * was said of them. Their numbers and codes stay.
 * @param limit imports of one pass: the rows of one may be a fraction of a megabyte.
 * @returns how many imports.
 */
export async function forgetRefusedRows(db: Db, before: Date, limit: number): Promise<number> {
  const done = await db.execute(sql`
    update operations set parameters = parameters || '{"rowsForgotten": true}', refused = (
      select coalesce(jsonb_agg(entry - 'pointer' - 'message' order by place), '[]')
      from jsonb_array_elements(refused) with ordinality as list(entry, place))
    where (tenant_id, id) in (
      select tenant_id, id from operations where kind = 'import' and refused_count > 0
        and parameters -> 'rowsForgotten' is null and finished_at < ${at(before)} limit ${limit})`);
  return done.count;
}
