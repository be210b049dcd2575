import { type ReadAhead, readAhead } from '../window/read-ahead.ts';
import type { HalfWindow, LaneAccount, LaneState, ReadingAhead } from './lane-state.ts';
import { intervalMs } from './rhythm.ts';

function begin(lane: LaneState, account: LaneAccount, size: number): ReadingAhead {
  const claimed = lane.queue.splice(0, size);
  const read = readAhead(lane.deps, claimed, account.redirect);
  // Its fault is that of the half that takes it.
  read.catch(() => undefined);
  return { account, claimed, read };
}

const isSame = (one: LaneAccount, other: LaneAccount): boolean =>
  one.row.revision === other.row.revision && one.tenantRevision === other.tenantRevision;

/** Puts what was taken ahead back to the front of the queue. */
export function putBackAhead(lane: LaneState): void {
  lane.queue.unshift(...(lane.ahead?.claimed ?? []));
  lane.ahead = null;
}

/**
 * Takes the messages of a half's next window into `half.next`: those that were read ahead, else the first of the queue.
 * What comes after them is begun to be read and prepared, so that it is ready when these have left. Not where there is
 * a pace: its windows are far apart, and what is read long before is read again.
 * @returns what was read of them.
 */
export async function takeNext(
  lane: LaneState,
  half: HalfWindow,
  account: LaneAccount,
  size: number,
): Promise<ReadAhead> {
  if (lane.ahead !== null && !isSame(lane.ahead.account, account)) putBackAhead(lane);
  const taken = lane.ahead ?? begin(lane, account, size);
  // The worker's share of connections may have become smaller since.
  lane.queue.unshift(...taken.claimed.slice(size));
  half.next = taken.claimed.slice(0, size);
  lane.ahead = intervalMs(account.row) === 0 && lane.queue.length > 0 ? begin(lane, account, size) : null;
  const read = await taken.read;
  const postponed = new Set(read.postponed);
  lane.queue.unshift(...half.next.filter((claimed) => postponed.has(claimed)));
  half.next = half.next.filter((claimed) => !postponed.has(claimed));
  return read;
}
