import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { startWorkerProcess } from '../support/processes.ts';
import { receiverOf, startSending } from '../support/sending.ts';
import type { SinkAction, SinkContext, SinkStep } from '../support/smtp-sink.ts';
import { realClock, until } from '../support/workers.ts';
import { accept, allDecided, mostInDoubt } from './kill-worker.ts';
import { compare, type Findings, must } from './ledger.ts';
import type { Random } from './random.ts';

const program = fileURLToPath(new URL('./faulty-worker.ts', import.meta.url));
const concurrency = 4;
const messages = 60;
const answerMs = 20_000;

/** Where a worker is frozen: at a step inside it, or when the mail server has taken so many contents. */
export const freezeSteps = [
  { name: 'with a window open', probe: 'window.opened', times: [2, 6] },
  { name: 'while mails leave', probe: null, times: [5, 25] },
  { name: 'before settle', probe: 'settle.begin', times: [2, 6] },
  { name: 'inside settle', probe: 'settle.inside', times: [2, 6] },
] as const satisfies readonly FreezeStep[];

/** A step, and the least and most times it is reached before the worker stands still. */
export interface FreezeStep {
  name: string;
  probe: string | null;
  times: readonly [number, number];
}

/**
 * A worker stands still until another has done all of its work, and wakes up. What it had not begun is not sent twice
 * under `resend`; under `hold` nothing is, and what it knows of the others is not forgotten.
 */
export async function freezeWorker(
  t: { teardown(fn: () => unknown): void },
  step: FreezeStep,
  onUncertain: 'resend' | 'hold',
  random: Random,
): Promise<Findings> {
  const times = random.whole(...step.times);
  const begun = new Set<string>();
  const frozen = Promise.withResolvers<void>();
  let taken = 0;
  let stopped = false;
  let first: { kill(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void } | null = null;
  const respond = (reached: SinkStep, { command }: SinkContext): SinkAction | undefined => {
    if (!stopped && reached === 'rcpt') begun.add(/<(.*?)>/.exec(command)?.[1] ?? '');
    if (reached !== 'body') return undefined;
    taken += 1;
    if (step.probe === null && taken === times) {
      first?.kill('SIGSTOP');
      frozen.resolve();
    }
    return { delayMs: 50 };
  };
  const service = await startSending(t, {
    clock: realClock,
    account: { onUncertain, rhythm: { concurrency } },
    settings: { timeouts: { answerSeconds: answerMs / 1_000 } },
    sink: { respond },
  });
  const faulty = step.probe === null ? undefined : [program, step.probe, String(times), 'SIGSTOP'];
  const one = await startWorkerProcess(t, service, {}, faulty);
  first = one;
  const accepted = await accept(service, messages);
  if (step.probe !== null) {
    await until('it stands still', () => one.lines.some((line) => line.includes('"frozen"')), 60_000);
  } else await frozen.promise;
  // What was on the wire by then arrives without it.
  const second = await startWorkerProcess(t, service);
  stopped = true;
  const frozenAt = Date.now();
  await allDecided(service);
  const frozenMs = Date.now() - frozenAt;
  one.kill('SIGCONT');
  for (const worker of [one, second]) {
    worker.kill('SIGTERM');
    must((await worker.ended) === 0, 'a worker did not stop well');
  }
  const receivers = new Map([...accepted].map(([receiver, id]) => [id, receiver]));
  const wasBegun = (id: string) => begun.has(receivers.get(id) ?? '');
  const opened = await service.execute(sql`select distinct message_id from attempts where outcome = 'uncertain'`);
  const doubtful = new Set(opened.map(({ message_id }) => String(message_id)));
  const findings = await compare(
    service,
    accepted,
    (id) => ({ open: doubtful.has(id), taken: wasBegun(id) }),
    onUncertain,
  );
  must(doubtful.size <= mostInDoubt, `${doubtful.size} messages were in doubt`);
  // After that it takes silence for the server's own when it wakes up.
  if (onUncertain === 'hold' && frozenMs < answerMs - 5_000) {
    const arrived = new Set(service.sink.mails.map(receiverOf));
    const held = await service.execute(sql`select id from messages where status = 'KO'`);
    for (const { id } of held) {
      // Where it was written, its late answer has told what became of it.
      const receiver = receivers.get(String(id)) ?? '';
      must(!arrived.has(receiver), `the message to ${receiver} arrived and stays in doubt`);
    }
  }
  return findings;
}
