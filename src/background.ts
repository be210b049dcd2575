import type { Logger } from 'pino';
import type { AccountRow } from './accounts/store.ts';
import { endStandingSessions } from './db/standstill.ts';
import type { Doubtful } from './dispatch/claim/doubt.ts';
import { createDispatcher, type Dispatcher } from './dispatch/dispatcher.ts';
import { sweepDispatch } from './dispatch/release/lanes.ts';
import { createReleaser, type Releaser } from './dispatch/release/release.ts';
import { deleteUnusedDocuments } from './documents/store.ts';
import { sequenceEvents } from './events/sequence.ts';
import { forgetIdempotencyKeys } from './http/idempotency.ts';
import { createContentCache } from './messages/content.ts';
import { expireMessages } from './messages/expire.ts';
import { forgetRefusedRows } from './operations/import/refused-rows.ts';
import { clearUploads } from './operations/import/uploads.ts';
import { eraseLatecomers } from './operations/order-erasure.ts';
import { startRetention } from './operations/retention.ts';
import { runOperations } from './operations/run.ts';
import { deleteOldExports, exportKeptMs } from './operations/store.ts';
import { createOutboxChore } from './personal-data/erasure/outbox-files.ts';
import type { Metrics } from './reports/metrics.ts';
import type { Runtime } from './runtime.ts';

/** A pass of some work: how much was done, so that it is repeated while there is more. */
interface Chore {
  name: string;
  everyMs: number;
  /** Wait before the next pass after one that did something. Default: none. */
  againAfterMs?: number;
  run(): Promise<number>;
  /** Whether there is more, although the last pass could do nothing. */
  more?(): boolean;
}

const days = 24 * 60 * 60 * 1_000;
const rowsPerPass = 1_000;
const importsPerPass = 100;
/** A chore that finds work is repeated at once, but not for ever: others and a stop have their turn. */
const repeats = 20;
const faultPauseMs = 1_000;

/** The work of a worker process that is not asked for by a request. */
export interface Background {
  /** Does everything that is due now, once and to its end: what the loops do, without their waits. */
  settle(): Promise<void>;
  start(): void;
  /** Claims no more, ends what is in flight. */
  stop(): Promise<void>;
}

/** What the log says of every message that was tried. */
function triedFields(
  message: Pick<Doubtful, 'tenantId' | 'id' | 'sendRequestId' | 'channel'>,
  account: Pick<AccountRow, 'id' | 'driver'>,
) {
  const { tenantId, id, sendRequestId, channel } = message;
  return { tenantId, messageId: id, sendRequestId, channel, driver: account.driver, channelAccountId: account.id };
}

/** The dispatcher of a process, with its log line and its metrics for each attempt. */
export function createWorkerDispatcher(runtime: Runtime, metrics: Metrics | null): Dispatcher {
  return createDispatcher({
    ...runtime,
    content: createContentCache(runtime.db),
    random: Math.random,
    attempted(account, { open, verdict, durationMs, copyOutcomes }) {
      metrics?.attemptFinished(verdict.kind, durationMs / 1_000);
      runtime.log.info(
        {
          ...triedFields(open.row, account),
          attempt: open.attemptNumber,
          outcome: verdict.kind,
          reason: 'reason' in verdict ? verdict.reason : null,
          code: 'answer' in verdict ? verdict.answer.code : null,
          copies: copyOutcomes.length,
          durationMs,
        },
        'message.attempted',
      );
    },
    foundInDoubt(message) {
      metrics?.attemptFinished('uncertain', null);
      const { account, attemptCount: attempt } = message;
      runtime.log.warn(
        { ...triedFields(message, account), attempt, outcome: 'uncertain', reason: 'outcome_unknown' },
        'message.attempted',
      );
    },
  });
}

function choresOf(runtime: Runtime, releaser: Releaser): Chore[] {
  const ago = (milliseconds: number) => new Date(runtime.clock.now().getTime() - milliseconds);
  return [
    // A release that was full is topped up when the workers had time to take from it.
    {
      name: 'release',
      everyMs: 250,
      againAfterMs: 200,
      run: () => releaser.release(),
      more: () => releaser.crowded(),
    },
    { name: 'sequence', everyMs: 500, run: () => sequenceEvents(runtime) },
    { name: 'operations', everyMs: 250, run: () => runOperations(runtime) },
    { name: 'expire', everyMs: 5_000, run: () => expireMessages(runtime, rowsPerPass) },
    { name: 'standstill', everyMs: 5_000, run: () => endStandingSessions(runtime.db) },
    { name: 'sweep', everyMs: 30_000, run: () => sweepDispatch(runtime) },
    { name: 'documents', everyMs: 600_000, run: () => deleteUnusedDocuments(runtime.db, ago(7 * days), rowsPerPass) },
    { name: 'retention', everyMs: 600_000, run: () => startRetention(runtime) },
    { name: 'latecomers', everyMs: 600_000, run: () => eraseLatecomers(runtime, ago(days)) },
    { name: 'outbox', everyMs: 60_000, run: createOutboxChore(runtime) },
    { name: 'exports', everyMs: 600_000, run: () => deleteOldExports(runtime.db, ago(exportKeptMs), rowsPerPass) },
    {
      name: 'refused rows',
      everyMs: 600_000,
      run: () => forgetRefusedRows(runtime.db, ago(exportKeptMs), importsPerPass),
    },
    { name: 'imports', everyMs: 30_000, run: () => clearUploads(runtime, rowsPerPass) },
    // A day more than the seven that are promised: a caller's clock is not ours.
    { name: 'idempotency', everyMs: 600_000, run: () => forgetIdempotencyKeys(runtime.db, ago(8 * days), rowsPerPass) },
  ];
}

async function runChore(chore: Chore, runtime: Runtime, stopped: AbortSignal, log: Logger): Promise<void> {
  while (!stopped.aborted) {
    try {
      for (let turn = 0; turn < repeats && !stopped.aborted; turn += 1) {
        if ((await chore.run()) === 0 && !chore.more?.()) break;
        if (chore.againAfterMs !== undefined) await runtime.clock.wait(chore.againAfterMs, stopped);
      }
      await runtime.clock.wait(chore.everyMs, stopped);
    } catch (error) {
      log.error({ err: error, chore: chore.name }, 'background.failed');
      await runtime.clock.wait(faultPauseMs, stopped);
    }
  }
}

/** Makes the background work of a worker process. */
export function createBackground(runtime: Runtime, metrics: Metrics | null): Background {
  const dispatcher = createWorkerDispatcher(runtime, metrics);
  const releaser = createReleaser(runtime);
  const chores = choresOf(runtime, releaser);
  const stopped = new AbortController();
  let loops: Promise<void>[] = [];
  return {
    async settle() {
      // Bounded: each turn does all that is due, and what it causes is due in the next.
      for (let turn = 0; turn < 1_000; turn += 1) {
        let done = 0;
        for (const { name, run } of chores) if (name !== 'sweep') done += await run();
        done += await dispatcher.pass();
        if (done === 0) return;
      }
      throw new Error('there is always more to do');
    },
    start() {
      dispatcher.start();
      loops = chores.map((chore) => runChore(chore, runtime, stopped.signal, runtime.log));
    },
    async stop() {
      stopped.abort();
      await Promise.all([dispatcher.stop(), ...loops]);
      await releaser.stop().catch((error: unknown) => runtime.log.warn({ err: error }, 'background.lease-kept'));
    },
  };
}
