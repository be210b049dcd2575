import type { AccountRow } from '../../accounts/store.ts';
import { isUnavailable } from '../../db/client.ts';
import type { Claimed } from '../claim/claimed.ts';
import { returnClaimed, undoWindow } from '../claim/give-back.ts';
import { type Delivered, unbegun } from '../window/deliver.ts';
import { settleWindow } from '../window/settle.ts';
import type { HalfWindow, LaneState } from './lane-state.ts';
import { putBackAhead } from './next-window.ts';

const faultPauseMs = 1_000;
/** Messages whose window failed for the service's own trouble are left alone for a while. */
export const afterFaultMs = 10_000;
/** What is known is kept through some minutes without a database. */
const settleTries = 300;
const returnTries = 10;

/**
 * Gives messages back, through a short absence of the database. When even that fails they are let go: jobs that
 * nobody keeps alive come back by themselves.
 */
export async function giveBack(
  lane: LaneState,
  claimed: readonly Claimed[],
  releaseAt: Date,
  give: typeof returnClaimed = returnClaimed,
): Promise<void> {
  const { deps, watch, accountId } = lane;
  for (let turn = 1; turn <= returnTries && claimed.length > 0; turn += 1) {
    try {
      await deps.db.transaction((tx) => give(deps, tx, claimed, releaseAt));
      break;
    } catch (error) {
      deps.log.error({ err: error, account: accountId, messages: claimed.length }, 'dispatch.return-failed');
      if (!isUnavailable(error)) break;
      await deps.clock.wait(faultPauseMs);
    }
  }
  watch.forget(claimed);
}

/** Gives back all that the lane has claimed and no half has taken. */
export function giveBackAll(lane: LaneState, releaseAt: Date): Promise<void> {
  putBackAhead(lane);
  return giveBack(lane, lane.queue.splice(0), releaseAt);
}

/**
 * Settles what is known, through faults of the database: an outcome that is lost would be a message in doubt. When
 * a window cannot be settled for another reason, each of its messages is settled by itself; one that still cannot is
 * let go: its job comes back, and its open attempt says that it is in doubt.
 */
export async function settleSurely(lane: LaneState, account: AccountRow, last: readonly Delivered[]): Promise<void> {
  const { deps, watch } = lane;
  let faults = 0;
  for (let turn = 1; turn <= settleTries && last.length > 0; turn += 1) {
    try {
      await deps.db.transaction((tx) => settleWindow(deps, tx, account, last));
      break;
    } catch (error) {
      deps.log.error({ err: error, account: account.id, messages: last.length }, 'dispatch.settle-failed');
      if (!isUnavailable(error)) faults += 1;
      if (faults >= 3) {
        if (last.length > 1) for (const one of last) await settleSurely(lane, account, [one]);
        break;
      }
      await deps.clock.wait(faultPauseMs);
    }
  }
  watch.forget(last.map(({ open }) => open.claimed));
}

/** Settles what is known, so that the account may be read again before anything else is begun on it. */
export async function forgetAccount(lane: LaneState, half: HalfWindow): Promise<void> {
  if (half.account !== null) await settleSurely(lane, half.account.row, half.last.splice(0));
  half.account = null;
}

/**
 * After a fault of the service itself (its database, most likely). A lane must not keep what it cannot send: a job
 * that is held and never begun is a message that is stuck.
 */
export async function recoverHalf(lane: LaneState, half: HalfWindow, error: unknown): Promise<void> {
  const { deps, signals, accountId } = lane;
  deps.log.error({ err: error, account: accountId }, 'dispatch.lane-failed');
  const now = deps.clock.now();
  const later = new Date(now.getTime() + afterFaultMs);
  half.last.push(...half.opened.splice(0).map((open) => unbegun(open, now, later)));
  const written = half.written.splice(0);
  await giveBack(lane, half.next.splice(0), later, (...window) => undoWindow(written, ...window));
  await giveBackAll(lane, later);
  // By itself: what could not be settled with the opening of others must not fail theirs again.
  await forgetAccount(lane, half);
  await deps.clock.wait(faultPauseMs, signals.stopping);
}
