import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startWorkerProcess } from '../support/processes.ts';
import { startSending } from '../support/sending.ts';
import { realClock } from '../support/workers.ts';
import { accept, allDecided, mostInDoubt } from './kill-worker.ts';
import { anyDoubt, compare, type Findings, must } from './ledger.ts';
import type { Random } from './random.ts';

const messages = 120;
const crashes = 2;

interface Teardown {
  teardown(fn: () => unknown): void;
}

/** A PostgreSQL that can be crashed, ended with the test. */
async function startCrashingPostgres(t: Teardown): Promise<{ url: string; crash(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'notifications-crash-'));
  const program = fileURLToPath(new URL('./postgres-process.ts', import.meta.url));
  const child = fork(program, [directory], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  t.teardown(async () => {
    const ended = once(child, 'exit');
    if (child.exitCode === null && child.connected) {
      child.send('end');
      await ended;
    }
    await rm(directory, { recursive: true, force: true });
  });
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  return {
    url,
    async crash() {
      const back = once(child, 'message');
      child.send('crash');
      await back;
    },
  };
}

/** PostgreSQL crashes while mails leave. Nothing is lost, and under `hold` nothing comes twice. */
export async function restartPostgres(t: Teardown, random: Random): Promise<Findings> {
  const database = await startCrashingPostgres(t);
  const service = await startSending(t, {
    clock: realClock,
    databaseUrl: database.url,
    account: { onUncertain: 'hold', rhythm: { concurrency: 4 } },
    sink: { respond: (step) => (step === 'body' ? { delayMs: 25 } : undefined) },
  });
  const accepted = await accept(service, messages);
  const worker = await startWorkerProcess(t, service);
  for (let crash = 1; crash <= crashes; crash += 1) {
    const least = Math.round(((crash - 1) * messages) / crashes / 1.5) + 5;
    await service.sink.waitFor(random.whole(least, least + 20), 60_000);
    await database.crash();
  }
  await allDecided(service);
  worker.kill('SIGTERM');
  must((await worker.ended) === 0, 'the worker did not stop well');
  const findings = await compare(service, accepted, anyDoubt, 'hold');
  must(findings.uncertain <= crashes * mostInDoubt, `${findings.uncertain} messages are in doubt`);
  return findings;
}
