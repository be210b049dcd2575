/** Troubles of the database that say nothing of the messages. */
import { sql } from 'drizzle-orm';
import t from 'tap';
import { createReleaser } from '../../src/dispatch/release/release.ts';
import { startWorkerProcess } from '../support/processes.ts';
import { addDispatcher, people, repeated, startSending } from '../support/sending.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { realClock, until } from '../support/workers.ts';

t.test('texts that cannot be read for a while stop no message', async (t) => {
  const service = await startSending(t);
  const { id } = await service.send(people(5));
  const dispatcher = await addDispatcher(t, service);
  await createReleaser(service.runtime).release();
  await service.execute(sql`alter table template_versions rename to template_versions_away`);
  await dispatcher.pass();
  await service.execute(sql`alter table template_versions_away rename to template_versions`);
  t.match(await service.counts(id), { V: 5, KO: 0 });
  service.clock.advance(60_000);
  await service.work();
  t.match(await service.counts(id), { OK: 5 });
});

t.test('a window whose commit is on its way when its connection is lost is given back whole', async (t) => {
  const service = await startSending(t, {
    clock: realClock,
    account: { onUncertain: 'hold', rhythm: { concurrency: 2 } },
  });
  // Commits that write attempts take two seconds: what a slow replica does to them.
  await service.execute(sql`
    create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(2); return null; end $$`);
  await service.execute(sql`
    create constraint trigger slow after insert on attempts deferrable initially deferred
    for each row when (new.number = 1) execute function slow()`);
  const url = new URL(service.databaseUrl);
  const wire = await startTcpProxy(Number(url.port));
  t.teardown(() => wire.close());
  url.host = `127.0.0.1:${wire.port}`;
  const { id } = await service.send(people(2));
  const worker = await startWorkerProcess(t, service, { DATABASE_URL: url.href });
  await until('a commit is on its way', async () => {
    const rows = await service.execute(sql`
      select 1 from pg_stat_activity where query = 'commit' and wait_event = 'PgSleep' and datname = current_database()`);
    return rows.length > 0;
  });
  wire.cut();
  await until('all have left', async () => (await service.counts(id)).OK === 2, 60_000);
  t.strictSame(repeated(service.sink.mails), []);
  const outcomes = await service.execute(sql`select outcome from attempts order by started_at`);
  t.strictSame(
    outcomes.map(({ outcome }) => outcome),
    ['not_begun', 'not_begun', 'accepted', 'accepted'],
  );
  worker.kill('SIGTERM');
  t.equal(await worker.ended, 0);
});
