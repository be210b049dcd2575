import { sql } from 'drizzle-orm';
import type { Db } from './client.ts';

/** Far longer than a client that works is between two parts of one statement. */
const standstillSeconds = 10;

/**
 * Ends the service's sessions whose client stands still in the middle of a statement, so that its locks are given back:
 * one that was frozen between asking how a statement is to be read and giving its values. No limit of PostgreSQL 15
 * covers that moment: the session is neither idle nor at work. A COPY, which reads from its client for long, is left alone.
 * @returns how many were ended.
 */
export async function endStandingSessions(db: Db): Promise<number> {
  const ended = await db.execute(sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and usename = current_user and pid <> pg_backend_pid()
      and state = 'active' and wait_event = 'ClientRead'
      and state_change < now() - make_interval(secs => ${standstillSeconds})
      and pid not in (select pid from pg_stat_progress_copy)`);
  return ended.length;
}
