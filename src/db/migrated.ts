import { readFileSync } from 'node:fs';
import { sql } from 'drizzle-orm';
import type { Db } from './client.ts';

const journal = new URL('../../migrations/meta/_journal.json', import.meta.url);

/** When the newest migration of this version was made: what a database that is ready has at least. */
function newestMigration(): number {
  const { entries } = JSON.parse(readFileSync(journal, 'utf8')) as { entries: { when: number }[] };
  return Math.max(...entries.map(({ when }) => when));
}

const needed = newestMigration();

/**
 * Whether the database has all the tables of this version, and those of the queue. One that a newer version has
 * migrated is ready too. Rejects when it cannot be asked.
 */
export async function isMigrated(db: Db): Promise<boolean> {
  const [tables] = await db.execute<{ ready: boolean }>(sql`
    select to_regclass('drizzle.__drizzle_migrations') is not null and to_regclass('pgboss.job') is not null as ready`);
  if (tables?.ready !== true) return false;
  const [row] = await db.execute<{ ready: boolean }>(sql`
    select coalesce(max(created_at), 0) >= ${needed} as ready from drizzle.__drizzle_migrations`);
  return row?.ready === true;
}
