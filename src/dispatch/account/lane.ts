import type { Claimed } from '../claim/claimed.ts';
import type { JobWatch } from '../claim/job-watch.ts';
import { createDriverHolder } from './driver-holder.ts';
import { workHalf } from './half-window.ts';
import type { HalfWindow, LaneDeps, LaneSignals, LaneState } from './lane-state.ts';
import { giveBackAll, recoverHalf, settleSurely } from './recover.ts';
import { createAccountShare } from './share.ts';

/** Two half-windows are worked at once, so that connections stay busy while one of them is settled. */
const halvesPerLane = 2;

/** What an account that keeps up takes in far less. */
const slowAfterMs = 5_000;

/** The messages of one account that this worker has claimed, sent in half-windows under the account's rhythm. */
export interface AccountLane {
  /** Claimed messages that are not begun. */
  pending(): number;
  /** Whether some of them have waited for seconds: their provider is slow, and others must not wait for it. */
  slow(): boolean;
  /** Takes messages and works on them until they are settled; urgent ones go before those that wait here. */
  add(claimed: readonly Claimed[], urgent: boolean): void;
  /** Whether anything is being worked on. */
  busy(): boolean;
  /** Resolves when what is worked on now has ended. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

const pending = ({ queue, ahead }: LaneState): number => queue.length + (ahead?.claimed.length ?? 0);

/** Works until nothing is pending, or the worker stops; what is left then goes back to wait. Never rejects. */
async function runHalf(lane: LaneState): Promise<void> {
  const half: HalfWindow = { account: null, troubles: lane.troubles, last: [], next: [], written: [], opened: [] };
  let wanted = true;
  while (wanted && pending(lane) > 0 && !lane.signals.stopping.aborted) {
    try {
      wanted = await workHalf(lane, half);
    } catch (error) {
      await recoverHalf(lane, half, error);
    }
  }
  if (half.account !== null) await settleSurely(lane, half.account.row, half.last);
  lane.active -= 1;
  if (lane.signals.stopping.aborted) await giveBackAll(lane, lane.deps.clock.now());
  if (lane.active === 0) await lane.share.end().catch(() => undefined);
}

/** Makes the lane of one account. */
export function createAccountLane(
  deps: LaneDeps,
  watch: JobWatch,
  signals: LaneSignals,
  target: { tenantId: string; accountId: string },
): AccountLane {
  const lane: LaneState = {
    deps,
    watch,
    signals,
    ...target,
    queue: [],
    ahead: null,
    holder: createDriverHolder(deps),
    share: createAccountShare(deps, { tenantId: target.tenantId, id: target.accountId }),
    active: 0,
    troubles: 0,
    untold: 0,
  };
  const running = new Set<Promise<void>>();
  // What waits for a connection when the worker stops is not begun any more.
  signals.stopping.addEventListener('abort', () => lane.share.gate.sendAway(), { once: true });

  function start(): void {
    lane.active += 1;
    const half = runHalf(lane).finally(() => {
      running.delete(half);
      // Something may have been added between this half's last look at the queue and now.
      if (pending(lane) > 0 && lane.active === 0) start();
    });
    running.add(half);
  }

  return {
    pending: () => pending(lane),
    slow() {
      const before = performance.now() - slowAfterMs;
      return [lane.ahead?.claimed ?? [], lane.queue].some((list) => list.some(({ claimedAt }) => claimedAt < before));
    },
    add(claimed, urgent) {
      if (urgent) lane.queue.unshift(...claimed);
      else lane.queue.push(...claimed);
      while (lane.active < halvesPerLane) start();
    },
    busy: () => running.size > 0,
    async settled() {
      await Promise.all(running);
    },
    close: () => lane.holder.close(),
  };
}
