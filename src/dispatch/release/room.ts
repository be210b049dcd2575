/** What the releaser remembers of an account between its passes. It is worth nothing to another process. */
export interface AccountMemory {
  /** Messages in the queue after the last pass: the difference to now is what the account has taken since. */
  queued: number;
  at: number;
  /** Parts of a message that are owed to lower priorities, below one each. */
  owed: Record<'belowUrgent' | 'belowNormal', number>;
}

/** Nothing is known of an account yet. */
export const noMemory: AccountMemory = { queued: 0, at: 0, owed: { belowUrgent: 0, belowNormal: 0 } };

/** How many messages a second the account has taken since its last pass; 0 when that is not known. */
export function takenPerSecond({ queued: before, at }: AccountMemory, queued: number, now: Date): number {
  if (at === 0) return 0;
  const seconds = Math.max(0.25, (now.getTime() - at) / 1_000);
  return Math.max(0, before - queued) / seconds;
}

/** Part of what is released that is kept for lower priorities, so that they always move on. */
const lowerShare = 0.2;

/**
 * How much of the room a priority leaves to those below it that wait too. What is owed to them adds up over the passes:
 * an account with a pace has room for one message at a time.
 */
export function keptForLower(owed: AccountMemory['owed'], below: keyof AccountMemory['owed'], room: number): number {
  const due = owed[below] + room * lowerShare;
  const kept = Math.min(room, Math.floor(due));
  owed[below] = due - kept;
  return kept;
}
