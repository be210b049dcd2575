import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { startWorkerProcess } from '../support/processes.ts';
import { people, type Sending, startSending } from '../support/sending.ts';
import type { SinkAction, SinkStep } from '../support/smtp-sink.ts';
import { realClock, until } from '../support/workers.ts';
import { type Accepted, compare, doubtsOf, type Findings, must, readWreck } from './ledger.ts';
import type { Random } from './random.ts';

const program = fileURLToPath(new URL('./faulty-worker.ts', import.meta.url));
const concurrency = 4;
const messages = 60;
/** Two half-windows may be open on a worker. */
export const mostInDoubt = 2 * concurrency;
const resumeWithinMs = 30_000;

const stillMoving = sql`select count(*)::int as moving from messages where status = 'V' or dispatch_state <> 'idle'`;

/** Every step of a send at which a worker is killed: reached inside the worker, or seen by the mail server. */
export const killSteps = [
  { name: 'after fetch', probe: 'fetched', times: [1, 1] },
  { name: 'after attempts are committed', probe: 'window.opened', times: [1, 8] },
  { name: 'before the hand-over', probe: 'handover.begin', times: [1, 40] },
  { name: 'after connect', sink: 'connect', times: [1, 3] },
  { name: 'after RCPT', sink: 'rcpt', times: [1, 40] },
  { name: 'in the content', sink: 'bodyStart', times: [1, 40] },
  { name: 'after the content, before its answer', sink: 'body', times: [1, 40] },
  { name: 'after 250', probe: 'handover.end', times: [1, 40] },
  { name: 'before settle', probe: 'settle.begin', times: [2, 8] },
  { name: 'inside settle', probe: 'settle.inside', times: [2, 8] },
] as const satisfies readonly KillStep[];

/** A step, and the least and most times it is reached before the kill. */
export interface KillStep {
  name: string;
  probe?: string;
  sink?: SinkStep;
  times: readonly [number, number];
}

/** Accepts the messages of a scenario. */
export async function accept(service: Sending, count: number, domain?: string): Promise<Accepted> {
  const rows = people(count, domain);
  const { messages: ids } = await service.send(rows);
  return new Map(rows.map(({ to }, index) => [to.address, ids[index] ?? '']));
}

/** Waits until nothing is in `V` any more. */
export function allDecided(service: Sending, timeoutMs = 90_000): Promise<unknown> {
  return until(
    'every message is decided',
    async () => {
      const [row] = await service.execute(stillMoving);
      return row?.moving === 0;
    },
    timeoutMs,
  );
}

/** Kills a worker at a step, lets another one go on, and compares the three lists. */
export async function killWorkerAt(
  t: { teardown(fn: () => unknown): void },
  step: KillStep,
  onUncertain: 'resend' | 'hold',
  random: Random,
): Promise<Findings> {
  let left = random.whole(...step.times);
  let worker: { kill(signal: 'SIGKILL'): void } | null = null;
  const respond = (reached: SinkStep): SinkAction | undefined => {
    if (reached !== step.sink || worker === null) return undefined;
    left -= 1;
    if (left !== 0) return undefined;
    worker.kill('SIGKILL');
    // The server has the whole content; the one that wrote it will never read an answer.
    return reached === 'body' ? 'takeAndHang' : 'hang';
  };
  const service = await startSending(t, {
    clock: realClock,
    account: { onUncertain, rhythm: { concurrency } },
    sink: { respond },
  });
  const first =
    step.probe === undefined
      ? await startWorkerProcess(t, service)
      : await startWorkerProcess(t, service, {}, [program, step.probe, String(left)]);
  worker = first;
  const accepted = await accept(service, messages);
  must((await first.ended) === 'SIGKILL', 'the worker ended by itself');
  // What the dead one had written is still on its way to the server, which reads no more of the connection it hangs on.
  const hanging = step.sink === undefined ? 0 : 1;
  await until('the server has read what was sent', async () => service.sink.openConnections() <= hanging);
  const wreck = await readWreck(service);
  must(wreck.open.size <= mostInDoubt, `${wreck.open.size} messages were open`);
  worker = null;
  const second = await startWorkerProcess(t, service);
  await allDecided(service);
  second.kill('SIGTERM');
  must((await second.ended) === 0, 'the second worker did not stop well');
  const findings = await compare(service, accepted, doubtsOf(wreck), onUncertain);
  const next = service.sink.mails.find(({ arrivedAt }) => arrivedAt > wreck.at);
  must(next === undefined || next.arrivedAt - wreck.at < resumeWithinMs, 'work did not go on within 30 s');
  must(findings.duplicates <= mostInDoubt && findings.uncertain <= mostInDoubt, 'more than a window is in doubt');
  return findings;
}
