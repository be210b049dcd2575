import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { removeErasedFiles } from '../../channels/outbox.ts';
import type { Clock } from '../../clock.ts';
import type { Config } from '../../config.ts';
import type { Db, Tx } from '../../db/client.ts';
import { at, idList } from '../../db/rows.ts';

/** What the files of an outbox need. */
export interface OutboxDeps {
  clock: Clock;
  config: Pick<Config, 'dataDirectory'>;
}

/** Of these messages, those that hold nothing any more, and those that had a copy for somebody who was erased. */
async function erasedOf(db: Db | Tx, ids: readonly string[]): Promise<Set<string>> {
  // Through the tenants: messages are found by tenant and id.
  const rows = await db.execute<{ id: string }>(sql`
    select messages.id from tenants cross join unnest(${idList(ids)}) named(id)
    join messages on messages.tenant_id = tenants.id and messages.id = named.id
    where messages.erased_at is not null or messages.copies @> '[{"address": ""}]'`);
  return new Set([...rows].map(({ id }) => id));
}

/** Removes what the `outbox` driver wrote on this machine of messages that were erased. @returns how many files. */
export function eraseOutboxFiles({ config }: OutboxDeps, db: Db | Tx): Promise<number> {
  return removeErasedFiles(join(config.dataDirectory, 'outbox'), (ids) => erasedOf(db, ids));
}

/**
 * Makes a chore of each worker that does the same when something was erased since it last looked: each has a disk of
 * its own, and the one that erases cannot reach those of the others.
 */
export function createOutboxChore(deps: OutboxDeps & { db: Db }): () => Promise<number> {
  let since: Date | null = null;
  return async () => {
    const now = deps.clock.now();
    const known = since;
    const [erased] =
      known === null
        ? [true]
        : await deps.db.execute(sql`
            select 1 from operations where kind in ('erase', 'retention') and updated_at >= ${at(known)} limit 1`);
    const removed = erased === undefined ? 0 : await eraseOutboxFiles(deps, deps.db);
    // Not before it is done: what a fault of the disk has left is looked for again.
    since = now;
    return removed;
  };
}
