import type { AccountRow } from '../../accounts/store.ts';
import type { Clock } from '../../clock.ts';
import type { Db } from '../../db/client.ts';
import { intervalMs, reserveSlots } from '../account/rhythm.ts';

/** Faster than this, what a late start brings together is not worth a query of its own. */
const leastLatenessMs = 50;

/** Whether the slot has passed, with others after it: to begin now would be to begin together with them. */
function isMissed(account: AccountRow, slotAt: Date, now: Date): boolean {
  // With a wait after each send there is one at a time, and the wait is counted from its end.
  if (account.waitAfterSendMs > 0) return false;
  return now.getTime() - slotAt.getTime() > Math.max(intervalMs(account), leastLatenessMs);
}

/**
 * Waits for a message's start slot. One that was missed (rendering took long, the process stood still) is not made
 * up for by a burst: the message takes another.
 * @param slotAt null: there is no pace.
 * @returns null when the message may begin now, else the time before which it must not.
 */
export async function awaitSlot(
  deps: { db: Db; clock: Clock },
  account: AccountRow,
  slotAt: Date | null,
  stopping: AbortSignal,
): Promise<Date | null> {
  if (slotAt === null) return null;
  let startAt = slotAt;
  const now = deps.clock.now();
  if (isMissed(account, slotAt, now)) {
    const slots = await reserveSlots(deps.db, account, { now, count: 1, intervalMs: intervalMs(account) });
    if (slots.kind === 'held') return slots.until;
    startAt = slots.first;
  }
  const wait = startAt.getTime() - deps.clock.now().getTime();
  if (wait > 0) await deps.clock.wait(wait, stopping);
  return null;
}
