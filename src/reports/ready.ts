import { sql } from 'drizzle-orm';
import type { Db } from '../db/client.ts';

const patienceMs = 2_000;

/** Whether the database answers within two seconds and has the service's tables. Never rejects. */
export async function isReady(db: Db): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), patienceMs);
  const asked = db
    .execute<{ ready: boolean }>(sql`
      select to_regclass('messages') is not null and to_regclass('pgboss.job') is not null as ready`)
    .then(([row]) => row?.ready === true)
    .catch(() => false);
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}
