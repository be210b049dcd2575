import type { DispatchChannel } from '../queue/queues.ts';
import { queueNames } from '../queue/queues.ts';
import { type AccountLane, createAccountLane } from './account/lane.ts';
import type { LaneDeps } from './account/lane-state.ts';
import { claimMessages } from './claim/claim.ts';
import type { Claimed } from './claim/claimed.ts';
import { returnClaimed } from './claim/give-back.ts';
import { createHeldJobs, touchEveryMs } from './claim/job-watch.ts';

/** Jobs of one claim: large enough to be worth its commit, small enough to be finished in 30 s. */
const claimSize = 200;
/** More is claimed while fewer than this, for each account at work and one more, are pending. */
const lowWater = 200;
const idlePollMs = 250;
const faultPauseMs = 1_000;
/** After this, a stop waits no longer for what is under way: its outcome is unknown then. */
const stopPatienceMs = 20_000;
const closePatienceMs = 2_000;

const channels: readonly DispatchChannel[] = ['mail'];

/** Claims messages and sends them, on this worker. */
export interface Dispatcher {
  /** Claims once from every queue and works until all of it is settled. @returns how many were claimed. */
  pass(): Promise<number>;
  /** Claims and sends until `stop`. */
  start(): void;
  /** Claims no more, ends what is in flight (in 20 s at most), gives the rest back. Resolves when nothing is held. */
  stop(): Promise<void>;
}

interface Lanes {
  feed(claimed: readonly Claimed[], urgent: boolean): void;
  /** Whether a claim is worth it: an account that is slow must not keep others from their turn. */
  hungry(): boolean;
  /** Resolves when nothing is worked on. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

function createLanes(make: (target: { tenantId: string; accountId: string }) => AccountLane): Lanes {
  const lanes = new Map<string, AccountLane>();
  const busy = () => [...lanes.values()].filter((lane) => lane.busy());
  return {
    feed(claimed, urgent) {
      for (const [accountId, list] of Map.groupBy(claimed, (one) => one.accountId)) {
        const [first] = list;
        if (first === undefined) continue;
        const lane = lanes.get(accountId) ?? make({ tenantId: first.tenantId, accountId });
        lanes.set(accountId, lane);
        lane.add(list, urgent);
      }
    },
    hungry() {
      // What a slow one may have in the queue is little: the messages of others are soon reached behind it.
      const quick = [...lanes.values()].filter((lane) => !lane.slow());
      const pending = quick.map((lane) => lane.pending()).filter((count) => count > 0);
      return pending.reduce((sum, count) => sum + count, 0) < lowWater * (pending.length + 1);
    },
    async settled() {
      for (let working = busy(); working.length > 0; working = busy()) {
        await Promise.all(working.map((lane) => lane.settled()));
      }
    },
    async close() {
      await Promise.allSettled([...lanes.values()].map((lane) => lane.close()));
    },
  };
}

/** Resolves with `work`, or after `milliseconds`: for what a stop asks for but does not depend on. */
async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  work.then(
    () => resolve(),
    () => resolve(),
  );
  await promise;
  clearTimeout(timer);
}

/** Makes the dispatcher of a worker. */
export function createDispatcher(deps: LaneDeps): Dispatcher {
  const stopping = new AbortController();
  const givenUp = new AbortController();
  const stopped = new AbortController();
  const signals = { stopping: stopping.signal, givenUp: givenUp.signal };
  const held = createHeldJobs(deps, (error) => deps.log.warn({ err: error }, 'dispatch.touch-failed'));
  const lanes = createLanes((target) => createAccountLane(deps, held, signals, target));
  const loops: Promise<void>[] = [];

  async function claimFrom(queue: string, urgent: boolean): Promise<number> {
    const { claimed, doubtful } = await claimMessages(deps, queue, claimSize);
    for (const one of doubtful) deps.foundInDoubt(one);
    await deps.probe('claimed');
    if (claimed.length > 0) await deps.probe('fetched');
    if (stopping.signal.aborted) await deps.db.transaction((tx) => returnClaimed(deps, tx, claimed));
    else {
      held.hold(claimed);
      lanes.feed(claimed, urgent);
    }
    return claimed.length;
  }

  async function claimLoop(queue: string, urgent: boolean): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const claimed = urgent || lanes.hungry() ? await claimFrom(queue, urgent) : 0;
        if (claimed === 0) await deps.clock.wait(idlePollMs, stopping.signal);
      } catch (error) {
        deps.log.error({ err: error, queue }, 'dispatch.claim-failed');
        await deps.clock.wait(faultPauseMs, stopping.signal);
      }
    }
  }

  return {
    async pass() {
      // The claims are kept alive here too, however long the pass takes.
      const keeping = setInterval(() => void held.touch(), touchEveryMs);
      try {
        let claimed = 0;
        for (const channel of channels) {
          claimed += await claimFrom(queueNames.urgentDispatch(channel), true);
          claimed += await claimFrom(queueNames.dispatch(channel), false);
        }
        await lanes.settled();
        return claimed;
      } finally {
        clearInterval(keeping);
      }
    },
    start() {
      for (const channel of channels) {
        loops.push(claimLoop(queueNames.urgentDispatch(channel), true));
        loops.push(claimLoop(queueNames.dispatch(channel), false));
      }
      loops.push(held.run(stopped.signal, (milliseconds, signal) => deps.clock.wait(milliseconds, signal)));
    },
    async stop() {
      stopping.abort();
      const patience = setTimeout(() => givenUp.abort(), stopPatienceMs);
      await lanes.settled();
      clearTimeout(patience);
      stopped.abort();
      await Promise.allSettled(loops);
      await atMost(closePatienceMs, lanes.close());
    },
  };
}
