import type { Logger } from 'pino';
import type { DispatchChannel } from '../queue/queues.ts';
import { queueNames } from '../queue/queues.ts';
import { type AccountLane, createAccountLane, type LaneDeps } from './account-lane.ts';
import { type Claimed, claimMessages, returnClaimed } from './claim.ts';
import { createHeldJobs } from './job-watch.ts';

/** Jobs of one claim: large enough to be worth its commit, small enough to be finished in 30 s. */
const claimSize = 200;
/** More is claimed while fewer than this are pending. */
const lowWater = 200;
const idlePollMs = 250;
const faultPauseMs = 1_000;

const channels: readonly DispatchChannel[] = ['mail'];

/** Claims messages and sends them, on this worker. */
export interface Dispatcher {
  /** Claims once from every queue and works until all of it is settled. @returns how many were claimed. */
  pass(): Promise<number>;
  /** Claims and sends until `stop`. */
  start(): void;
  /** Claims no more, ends what is in flight, gives the rest back. Resolves when nothing is held. */
  stop(): Promise<void>;
}

/** Makes the dispatcher of a worker. */
export function createDispatcher(deps: LaneDeps & { log: Logger }): Dispatcher {
  const lanes = new Map<string, { lane: AccountLane; running: Promise<void> | null }>();
  const stopping = new AbortController();
  const stopped = new AbortController();
  const held = createHeldJobs(deps.jobs, (error) => deps.log.warn({ err: error }, 'dispatch.touch-failed'));
  const loops: Promise<void>[] = [];

  function laneOf({ tenantId, accountId }: Claimed) {
    const found = lanes.get(accountId);
    if (found !== undefined) return found;
    const made = { lane: createAccountLane(deps, held, tenantId, accountId), running: null };
    lanes.set(accountId, made);
    return made;
  }

  function feed(claimed: readonly Claimed[]): void {
    held.hold(claimed);
    for (const list of Map.groupBy(claimed, ({ accountId }) => accountId).values()) {
      const [first] = list;
      if (first === undefined) continue;
      const entry = laneOf(first);
      entry.lane.add(list);
      entry.running ??= entry.lane
        .run(stopping.signal)
        .catch((error: unknown) =>
          deps.log.error({ err: error, account: entry.lane.accountId }, 'dispatch.lane-failed'),
        )
        .finally(() => {
          entry.running = null;
          // Something may have been added between the lane's last look and its end.
          if (entry.lane.pending() > 0) feedAgain(entry.lane);
        });
    }
  }

  function feedAgain(lane: AccountLane): void {
    const entry = lanes.get(lane.accountId);
    if (entry === undefined || entry.running !== null) return;
    entry.running = lane
      .run(stopping.signal)
      .catch((error: unknown) => deps.log.error({ err: error, account: lane.accountId }, 'dispatch.lane-failed'))
      .finally(() => {
        entry.running = null;
      });
  }

  const pending = () => [...lanes.values()].reduce((sum, { lane }) => sum + lane.pending(), 0);

  async function claimFrom(queue: string): Promise<number> {
    const claimed = await claimMessages(deps, queue, claimSize);
    await deps.probe('claimed');
    if (stopping.signal.aborted) await returnClaimed(deps, claimed);
    else feed(claimed);
    return claimed.length;
  }

  async function settled(): Promise<void> {
    while ([...lanes.values()].some(({ running }) => running !== null)) {
      await Promise.allSettled([...lanes.values()].map(({ running }) => running));
    }
  }

  async function claimLoop(queue: string, limit: () => boolean): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const claimed = limit() ? await claimFrom(queue) : 0;
        if (claimed === 0) await deps.clock.wait(idlePollMs, stopping.signal);
      } catch (error) {
        deps.log.error({ err: error, queue }, 'dispatch.claim-failed');
        await deps.clock.wait(faultPauseMs, stopping.signal);
      }
    }
  }

  return {
    async pass() {
      let claimed = 0;
      for (const channel of channels) {
        for (const queue of [queueNames.urgentDispatch(channel), queueNames.dispatch(channel)]) {
          claimed += await claimFrom(queue);
        }
      }
      await settled();
      return claimed;
    },
    start() {
      for (const channel of channels) {
        loops.push(claimLoop(queueNames.urgentDispatch(channel), () => true));
        loops.push(claimLoop(queueNames.dispatch(channel), () => pending() < lowWater));
      }
      loops.push(held.run(stopped.signal, (milliseconds, signal) => deps.clock.wait(milliseconds, signal)));
    },
    async stop() {
      stopping.abort();
      await settled();
      stopped.abort();
      await Promise.allSettled(loops);
      await Promise.allSettled([...lanes.values()].map(({ lane }) => lane.close()));
    },
  };
}
