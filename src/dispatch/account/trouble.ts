import { type AccountRow, pauseAccount } from '../../accounts/store.ts';
import { serviceActor } from '../../tenants/rights.ts';
import type { Delivered } from '../window/deliver.ts';
import type { LaneState } from './lane-state.ts';
import { holdAccount } from './rhythm.ts';

/** What a hand-over says of the account itself: a fault that pauses it, or an error after which it rests. */
type Trouble = { kind: 'fault'; reason: string } | { kind: 'error' };

function troubleOf(account: AccountRow, { verdict, copyOutcomes }: Delivered): Trouble | null {
  if (verdict.kind === 'account_fault') return { kind: 'fault', reason: verdict.reason };
  const copy = copyOutcomes.find(({ outcome }) => outcome === 'account_fault');
  if (copy !== undefined) return { kind: 'fault', reason: copy.reason ?? 'account_fault' };
  const failed = verdict.kind === 'transient' || verdict.kind === 'uncertain';
  return failed && account.waitAfterErrorMs > 0 ? { kind: 'error' } : null;
}

/**
 * Tells the account's row of its trouble as soon as it is known, before the window is settled: another half-window,
 * or another worker, must not begin what a bad password or an angry provider has just refused. When it cannot be
 * told (no database), nothing more begins here all the same, and the next try meets the same trouble.
 */
export async function tellTrouble(lane: LaneState, account: AccountRow, delivered: Delivered): Promise<void> {
  const trouble = troubleOf(account, delivered);
  if (trouble === null) return;
  const { deps, tenantId, accountId: id } = lane;
  lane.troubles += 1;
  lane.untold += 1;
  try {
    await deps.db.transaction(async (tx) => {
      if (trouble.kind === 'fault') {
        // Only as it was: a person may have mended it since this hand-over began.
        const target = { tenantId, id, actor: serviceActor, revision: account.revision };
        await pauseAccount(deps, tx, target, trouble.reason);
      } else {
        await holdAccount(tx, account, new Date(deps.clock.now().getTime() + account.waitAfterErrorMs));
      }
    });
  } catch (error) {
    deps.log.error({ err: error, account: id }, 'dispatch.trouble-untold');
  } finally {
    lane.untold -= 1;
  }
}
