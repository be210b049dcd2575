/**
 * A PostgreSQL of its own that crashes when it is told to, as `pg_ctl -m immediate` makes it, and comes back on the same
 * port. `postgres-process.ts <data folder>`; says `{ url }`, then `{ back: true }` after each crash.
 */
import { setTimeout as wait } from 'node:timers/promises';
import postgres from 'postgres';
import { startEmbeddedPostgres } from '../../src/db/embedded.ts';
import { migrate } from '../../src/migrate.ts';

const [, , dataDirectory = ''] = process.argv;
let crashed = Promise.withResolvers<void>();
const start = (port: number) => startEmbeddedPostgres({ dataDirectory, port, onCrash: () => crashed.resolve() });

let server = await start(0);
await migrate({ databaseUrl: server.url });

/** SIGQUIT is an immediate shutdown: no checkpoint, no goodbye; the next start recovers from the log. */
async function crash(): Promise<void> {
  const sql = postgres(server.url, { max: 1, onnotice: () => undefined });
  const [row] = await sql<{ pid: number }[]>`
    select split_part(pg_read_file('postmaster.pid'), E'\n', 1)::int as pid`;
  await sql.end({ timeout: 1 }).catch(() => undefined);
  if (row === undefined) throw new Error('PostgreSQL has no process');
  crashed = Promise.withResolvers<void>();
  process.kill(row.pid, 'SIGQUIT');
  await crashed.promise;
  await server.stop();
  for (let turn = 0; ; turn += 1) {
    try {
      server = await start(server.port);
      return;
    } catch (error) {
      if (turn === 20) throw error;
      await wait(250);
    }
  }
}

process.on('message', async (order: 'crash' | 'end') => {
  if (order === 'end') {
    await server.stop();
    process.exit(0);
  }
  await crash();
  process.send?.({ back: true });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ url: server.url });
