import { sql } from 'drizzle-orm';
import { startWorkerProcess } from '../support/processes.ts';
import { startSending } from '../support/sending.ts';
import { realClock } from '../support/workers.ts';
import { accept, allDecided } from './kill-worker.ts';
import { compare, type Findings, must, noDoubt } from './ledger.ts';

const messages = 60;
const againWithinMs = 65_000;

/** Jobs that are deleted behind the service's back: their messages are given new ones within a minute. */
export async function lostJobs(t: { teardown(fn: () => unknown): void }): Promise<Findings> {
  const service = await startSending(t, { clock: realClock, account: { rhythm: { maxPerMinute: 600 } } });
  const accepted = await accept(service, messages);
  const worker = await startWorkerProcess(t, service);
  await service.sink.waitFor(5, 30_000);
  const gone = await service.execute(
    sql`delete from pgboss.job where name like 'dispatch.%' and state = 'created' returning id`,
  );
  const deletedAt = Date.now();
  await allDecided(service, againWithinMs + 30_000);
  const last = Math.max(...service.sink.mails.map(({ arrivedAt }) => arrivedAt));
  must(last - deletedAt < againWithinMs, `the last came ${last - deletedAt} ms after ${gone.length} jobs were lost`);
  worker.kill('SIGTERM');
  must((await worker.ended) === 0, 'the worker did not stop well');
  return compare(service, accepted, noDoubt, 'resend');
}
