import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import t from 'tap';
import { done } from '../support/broker.ts';
import { startWorkerProcess } from '../support/processes.ts';
import { people, repeated, type Sending, startSending } from '../support/sending.ts';
import { realClock, until } from '../support/workers.ts';

const concurrency = 5;
const count = 200;

/** Cuts every connection of the service to its database but this one. */
const cutDatabase = (service: Pick<Sending, 'execute'>) =>
  service.execute(sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`);

t.test(
  'a database that cuts every connection while mails leave: nothing is lost, nothing is sent twice',
  { timeout: 150_000 },
  async (t) => {
    const service = await startSending(t, {
      clock: realClock,
      account: { onUncertain: 'hold', rhythm: { concurrency } },
      sink: { respond: (step) => (step === 'body' ? { delayMs: 20 } : undefined) },
    });
    const { id } = await service.send(people(count));
    const worker = await startWorkerProcess(t, service);
    for (const arrived of [30, 90, 150]) {
      await service.sink.waitFor(arrived, 60_000);
      // A cut meets this process too; the next query connects again.
      await cutDatabase(service).catch(() => undefined);
    }
    const counts = await until(
      'all have left',
      async () => {
        const now = await service.counts(id).catch(() => null);
        return now !== null && now.V === 0 && now;
      },
      90_000,
    );
    t.strictSame(repeated(service.sink.mails), [], 'no second copy');
    t.match(counts, { created: count, OK: count, KO: 0 });
    t.equal(service.sink.mails.length, count);
    t.ok(
      worker.lines.some((line) => line.includes('dispatch.')),
      'the cuts were noticed',
    );
    worker.kill('SIGTERM');
    t.equal(await worker.ended, 0);
  },
);

t.test(
  'a worker that stood still sends nothing more of what another has taken over',
  { timeout: 150_000 },
  async (t) => {
    const service = await startSending(t, {
      clock: realClock,
      account: { onUncertain: 'hold', rhythm: { concurrency: 2 } },
      // Slow enough that most are left when the first worker is stopped, however late that is on a busy machine.
      sink: { respond: (step) => (step === 'body' ? { delayMs: 250 } : undefined) },
    });
    const { id } = await service.send(people(150));
    const first = await startWorkerProcess(t, service);
    await service.sink.waitFor(20, 60_000);
    first.kill('SIGSTOP');
    const second = await startWorkerProcess(t, service);
    const arrived = service.sink.mails.length;
    await until('the other goes on', () => service.sink.mails.length >= arrived + 10, 60_000);
    first.kill('SIGCONT');
    const counts = await until(
      'all are decided',
      async () => {
        const now = await service.counts(id);
        return now.V === 0 && now;
      },
      90_000,
    );
    t.strictSame(repeated(service.sink.mails), [], 'nobody got it twice');
    t.equal((counts.OK ?? 0) + (counts.KO ?? 0), 150);
    t.ok((counts.KO ?? 0) <= 4, `${counts.KO} in doubt`);
    for (const worker of [first, second]) {
      worker.kill('SIGTERM');
      t.equal(await worker.ended, 0);
    }
  },
);

t.test('files of the outbox are whole, whenever the worker is killed', { timeout: 150_000 }, async (t) => {
  const service = await startSending(t, { clock: realClock, account: null });
  await done(service.post('/v1/channel-accounts', { name: 'Files', channel: 'mail', driver: 'outbox' }));
  const { id } = await service.send(people(200));
  const folder = join(service.directory, 'outbox', 'mail');
  const files = async () => (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.eml'));
  const first = await startWorkerProcess(t, service);
  await until('some are written', async () => (await files()).length >= 30, 60_000);
  first.kill('SIGKILL');
  await first.ended;
  await startWorkerProcess(t, service);
  await until('all have left', async () => (await service.counts(id)).OK === 200, 90_000);
  const written = await files();
  t.equal(written.length, 200, 'one file for each, sent once or twice');
  const sizes = await Promise.all(written.map(async (name) => (await stat(join(folder, name))).size));
  t.ok(Math.min(...sizes) > 300, 'none is cut');
});
