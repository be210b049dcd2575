import type { Tx } from '../db/client.ts';
import type { Actor } from '../tenants/rights.ts';
import { type Blocking, blockMessages } from './act.ts';
import type { MessageFilter, Viewer } from './filter.ts';
import { lockWaiting, matchingIds } from './store.ts';
import type { MoveDeps } from './to-valid.ts';

const messagesPerStep = 1_000;

/** What became of the messages that were to be blocked. */
export interface Blocked {
  /** How many are `B` now. */
  blocked: number;
  /** Ids of those that were being sent and could not be stopped. */
  beingSent: string[];
}

/**
 * Blocks every message in `E` or `V` that matches and is not being sent, in steps of 1,000, locked in the order of
 * their ids.
 */
export async function blockMatching(
  deps: MoveDeps,
  tx: Tx,
  viewer: Viewer,
  actor: Actor,
  filter: MessageFilter,
  why: Omit<Blocking, 'remark'>,
): Promise<Blocked> {
  const beingSent: string[] = [];
  let blocked = 0;
  let after: string | null = null;
  while (true) {
    const page = { sources: ['E', 'V'] as const, after, limit: messagesPerStep };
    const ids: string[] = await matchingIds(tx, viewer, filter, page);
    const waiting = await lockWaiting(tx, viewer, ids);
    const { stoppable } = waiting;
    beingSent.push(...waiting.beingSent.map(({ id }) => id));
    await blockMessages(deps, tx, actor, stoppable, { ...why, remark: null });
    blocked += stoppable.length;
    after = ids.at(-1) ?? null;
    if (ids.length < messagesPerStep) return { blocked, beingSent };
  }
}
