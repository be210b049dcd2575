import { sql } from 'drizzle-orm';
import type { Db } from './client.ts';

/** Whether the database has the service's tables and those of the queue. Rejects when it cannot be asked. */
export async function isMigrated(db: Db): Promise<boolean> {
  const [row] = await db.execute<{ ready: boolean }>(sql`
    select to_regclass('messages') is not null and to_regclass('pgboss.job') is not null as ready`);
  return row?.ready === true;
}
