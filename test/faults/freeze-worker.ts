import { startWorkerProcess } from '../support/processes.ts';
import { startSending } from '../support/sending.ts';
import { realClock, until } from '../support/workers.ts';
import { accept, allDecided } from './kill-worker.ts';
import { anyDoubt, compare, type Findings, must } from './ledger.ts';
import type { Random } from './random.ts';

const concurrency = 2;
const messages = 150;

/** A worker that stands still for longer than its heartbeat, and wakes up: no second copy of what had not begun. */
export async function freezeWorker(t: { teardown(fn: () => unknown): void }, random: Random): Promise<Findings> {
  const service = await startSending(t, {
    clock: realClock,
    account: { onUncertain: 'hold', rhythm: { concurrency } },
    // Slow enough that most are left when the first worker is stopped, however late that is on a busy machine.
    sink: { respond: (step) => (step === 'body' ? { delayMs: 250 } : undefined) },
  });
  const first = await startWorkerProcess(t, service);
  const accepted = await accept(service, messages);
  await service.sink.waitFor(random.whole(5, 25), 60_000);
  first.kill('SIGSTOP');
  const second = await startWorkerProcess(t, service);
  const arrived = service.sink.mails.length;
  await until('the other goes on', () => service.sink.mails.length >= arrived + 10, 60_000);
  first.kill('SIGCONT');
  await allDecided(service);
  for (const worker of [first, second]) {
    worker.kill('SIGTERM');
    must((await worker.ended) === 0, 'a worker did not stop well');
  }
  const findings = await compare(service, accepted, anyDoubt, 'hold');
  must(findings.uncertain <= 2 * concurrency, `${findings.uncertain} messages are in doubt`);
  return findings;
}
