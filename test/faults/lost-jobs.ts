import { sql } from 'drizzle-orm';
import { createReleaser } from '../../src/dispatch/release/release.ts';
import { startWorkerProcess } from '../support/processes.ts';
import { receiverOf, startSending } from '../support/sending.ts';
import { realClock } from '../support/workers.ts';
import { accept, allDecided, mostInDoubt } from './kill-worker.ts';
import { compare, type Findings, must } from './ledger.ts';

const messages = 60;
const againWithinMs = 65_000;
const concurrency = 4;

/**
 * Jobs that are deleted behind the service's back, those that wait and those that are being worked on: their messages
 * are given new ones within a minute. What was not being sent comes once.
 */
export async function lostJobs(t: { teardown(fn: () => unknown): void }): Promise<Findings> {
  const service = await startSending(t, {
    clock: realClock,
    account: { onUncertain: 'resend', rhythm: { concurrency } },
    sink: { respond: (step) => (step === 'body' ? { delayMs: 100 } : undefined) },
  });
  const accepted = await accept(service, messages);
  // Before anybody has fetched them: all of these are lost.
  const released = await createReleaser(service.runtime).release();
  const waiting = await service.execute(sql`
    delete from pgboss.job where name like 'dispatch.%' and state = 'created' returning id`);
  must(released > 0 && waiting.length === released, `${waiting.length} of ${released} jobs were lost`);
  const worker = await startWorkerProcess(t, service);
  const late = await accept(service, messages, 'late.test');
  await service.sink.waitFor(10, 60_000);
  const active = await service.execute(sql`
    delete from pgboss.job where name like 'dispatch.%' and state = 'active' returning id`);
  const deletedAt = Date.now();
  must(active.length > 0, 'no job was lost that was worked on');
  await allDecided(service, againWithinMs + 30_000);
  const last = Math.max(...service.sink.mails.map(({ arrivedAt }) => arrivedAt));
  must(last - deletedAt < againWithinMs, `the last came ${last - deletedAt} ms after its job was lost`);
  worker.kill('SIGTERM');
  must((await worker.ended) === 0, 'the worker did not stop well');
  const all = new Map([...accepted, ...late]);
  const doubtful = await service.execute(sql`select message_id from attempts where outcome = 'uncertain'`);
  const open = new Set(doubtful.map(({ message_id }) => String(message_id)));
  must(open.size <= mostInDoubt, `${open.size} messages were in doubt`);
  must(new Set(service.sink.mails.map(receiverOf)).size === all.size, 'not everybody got his mail');
  return compare(service, all, (id) => ({ open: open.has(id), taken: open.has(id) }), 'resend');
}
