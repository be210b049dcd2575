/** Worker processes as the tests of W4 need them: several on one database, with the machine's clock. */
import { setTimeout as wait } from 'node:timers/promises';
import { pino } from 'pino';
import type { Test } from 'tap';
import { createBackground } from '../../src/background.ts';
import { systemClock } from '../../src/clock.ts';
import { createRuntime, type Probe } from '../../src/runtime.ts';
import type { TestClock, TestService } from './service.ts';

/** The machine's clock where a test clock is wanted. It cannot be moved. */
export const realClock: TestClock = {
  ...systemClock,
  set: () => {
    throw new Error('the machine’s clock is not for the test to set');
  },
  advance: () => {
    throw new Error('the machine’s clock is not for the test to move');
  },
};

/** A worker with its own connections, drivers and loops. */
export interface Worker {
  stop(): Promise<void>;
}

/** Starts a worker on the service's database; it ends with the test at the latest. */
export async function startWorker(t: Test, service: TestService, probe?: Probe): Promise<Worker> {
  const runtime = await createRuntime(service.runtime.config, {
    databaseUrl: service.databaseUrl,
    name: 'test worker',
    supervise: true,
    log: pino({ level: 'silent' }),
    ...(probe === undefined ? {} : { probe }),
  });
  const background = createBackground(runtime, null);
  background.start();
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= background.stop().then(() => runtime.close());
    return stopped;
  };
  t.teardown(stop);
  return { stop };
}

/** Starts three workers. */
export function startWorkers(t: Test, service: TestService): Promise<Worker[]> {
  return Promise.all([1, 2, 3].map(() => startWorker(t, service)));
}

/** Asks again until the answer is there (neither null, undefined nor false); fails after `timeoutMs`. */
export async function until<Found>(
  what: string,
  ask: () => Promise<Found | null | undefined | false> | Found | null | undefined | false,
  timeoutMs = 10_000,
): Promise<Found> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await wait(25)) {
    const found = await ask();
    if (found !== null && found !== undefined && found !== false) return found;
  }
  throw new Error(`after ${timeoutMs} ms not yet: ${what}`);
}
