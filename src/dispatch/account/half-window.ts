import { and, eq } from 'drizzle-orm';
import { type AccountRow, getAccount, pauseAccount } from '../../accounts/store.ts';
import type { ChannelDriver } from '../../channels/channel.ts';
import { channelAccounts } from '../../db/tables/dispatch.ts';
import { tenants } from '../../db/tables/tenants.ts';
import { inOrder } from '../../db/together.ts';
import { redirectOf } from '../../messages/content.ts';
import { serviceActor } from '../../tenants/rights.ts';
import {
  type Delivered,
  deliverMessage,
  type ReadyMessage,
  unbegun,
  unknownOutcome,
  withoutCopies,
} from '../window/deliver.ts';
import { type Locked, lockClaimed, type OpenMessage, openWindow, rulesOnLeaving } from '../window/open.ts';
import { awaitSlot } from '../window/pace.ts';
import type { ReadAhead } from '../window/read-ahead.ts';
import { isPlain, Overtaken, settleAtOnce, settleWindow } from '../window/settle.ts';
import type { TakenDriver } from './driver-holder.ts';
import type { HalfWindow, LaneAccount, LaneState } from './lane-state.ts';
import { takeNext } from './next-window.ts';
import { afterFaultMs, forgetAccount, giveBackAll, settleSurely } from './recover.ts';
import { heldUntil, intervalMs, windowSize } from './rhythm.ts';
import { tellTrouble } from './trouble.ts';

async function readAccount({ deps, tenantId, accountId }: LaneState): Promise<LaneAccount> {
  const [found] = await deps.db
    .select({
      row: channelAccounts,
      testRedirect: tenants.testRedirect,
      locale: tenants.locale,
      tenantRevision: tenants.revision,
    })
    .from(channelAccounts)
    .innerJoin(tenants, eq(tenants.id, channelAccounts.tenantId))
    .where(and(eq(channelAccounts.tenantId, tenantId), eq(channelAccounts.id, accountId)));
  if (found === undefined) throw new Error(`the account ${accountId} is gone`);
  // What a test key sends reaches nobody: its address is the simulator's instruction, and is left alone.
  const redirect = found.row.test ? null : redirectOf(deps.config, found);
  return { row: found.row, redirect, tenantRevision: found.tenantRevision };
}

/** Whether what was read of the account and its tenant still holds, as the locked messages say. */
function isCurrent({ row, tenantRevision }: LaneAccount, locked: readonly Locked[]): boolean {
  return locked.every(
    (one) =>
      one.accountRevision === row.revision &&
      one.tenantRevision === tenantRevision &&
      // With a pace every window moves the next slot, and takes its own.
      (intervalMs(row) > 0 || one.nextSlotMs === (row.nextSlotAt?.getTime() ?? null)),
  );
}

/** Settles the last half-window and opens the next in one commit. @returns false when the account must be read again. */
async function turnWindow(lane: LaneState, account: LaneAccount, half: HalfWindow, ahead: ReadAhead): Promise<boolean> {
  const { deps, watch, queue } = lane;
  await deps.probe('settle.begin');
  const plain = isPlain(half.last);
  const turned = await deps.db.transaction(async (tx) => {
    if (!plain) await settleWindow(deps, tx, account.row, half.last);
    // Older messages are locked before younger ones, as by everybody else.
    const [, locked, rules] = await inOrder([
      async () => (plain ? settleAtOnce(deps, tx, account.row, half.last) : undefined),
      () => lockClaimed(tx, half.next),
      () => rulesOnLeaving(deps, tx, account.row.tenantId, ahead),
    ]);
    await deps.probe('settle.inside');
    if (!isCurrent(account, locked)) return { current: false, opened: [], changed: half.next };
    const leaving = { claimed: half.next, ahead, locked, rules };
    const window = await openWindow(deps, tx, account.row, leaving);
    half.written = window.opened.map(({ attemptId }) => attemptId);
    return { current: true, ...window };
  });
  const { current, opened, changed } = turned;
  watch.forget(half.last.map(({ open }) => open.claimed));
  queue.unshift(...changed);
  const kept = new Set([...opened.map(({ row }) => row.id), ...changed.map(({ messageId }) => messageId)]);
  watch.forget(half.next.filter(({ messageId }) => !kept.has(messageId)));
  Object.assign(half, { last: [], next: [], written: [], opened });
  await deps.probe('window.opened');
  return current;
}

/** Parts opened messages into those that are ready to leave and those that cannot be sent as they are. */
function partOpened(lane: LaneState, opened: readonly OpenMessage[], { messages }: ReadAhead) {
  const now = lane.deps.clock.now();
  const ready: ReadyMessage[] = [];
  const stopped: Delivered[] = [];
  for (const open of opened) {
    const prepared = messages.get(open.row.id)?.prepared;
    if (prepared?.kind === 'ready') ready.push({ open, ...prepared });
    else stopped.push(withoutCopies(open, prepared ?? { kind: 'unsendable', reason: 'content_gone' }, now));
  }
  return { ready, stopped };
}

async function deliverAll(
  lane: LaneState,
  half: HalfWindow,
  account: LaneAccount,
  driver: ChannelDriver,
  ready: readonly ReadyMessage[],
): Promise<Delivered[]> {
  const { deps, watch, share } = lane;
  const { stopping, givenUp } = lane.signals;
  const mayBegin = ({ claimed, row }: OpenMessage) =>
    lane.troubles === half.troubles &&
    watch.mayBegin(claimed) &&
    // Behind slow ones its time may have passed since it was opened. What is OK has left: its copies follow it.
    (row.status === 'OK' || row.notAfter === null || row.notAfter > deps.clock.now());
  const carriage = { driver, redirect: account.redirect, givenUp, mayBegin };
  const begin = async (message: ReadyMessage): Promise<Delivered> => {
    // Without a slot nothing begins, and nothing is in doubt.
    const notBefore = await awaitSlot(deps, account.row, message.open.slotAt, stopping).catch(
      () => new Date(deps.clock.now().getTime() + afterFaultMs),
    );
    if (notBefore !== null || stopping.aborted) return unbegun(message.open, deps.clock.now(), notBefore);
    return deliverMessage(deps, carriage, message);
  };
  const atGate = async (message: ReadyMessage): Promise<Delivered> => {
    const delivered = stopping.aborted
      ? null
      : await share.gate.run(async () => {
          const outcome = await begin(message);
          await tellTrouble(lane, account.row, outcome);
          return outcome;
        });
    if (delivered !== null) return delivered;
    const now = deps.clock.now();
    return unbegun(message.open, now, stopping.aborted ? null : new Date(now.getTime() + afterFaultMs));
  };
  const one = async (message: ReadyMessage): Promise<Delivered> => {
    const delivered = await atGate(message).catch(() => withoutCopies(message.open, unknownOutcome, deps.clock.now()));
    deps.attempted(account.row, delivered);
    return delivered;
  };
  return Promise.all(ready.map(one));
}

/** Until when nothing may be begun on the account; null when it may. */
async function hindrance(lane: LaneState, account: AccountRow, taken: TakenDriver): Promise<Date | null> {
  const { deps } = lane;
  const now = deps.clock.now();
  if (account.pausedAt !== null || lane.untold > 0) return now;
  if (taken.kind === 'taken') return heldUntil(account, now);
  const target = { tenantId: account.tenantId, id: account.id, actor: serviceActor };
  await deps.db.transaction((tx) => pauseAccount(deps, tx, target, taken.reason));
  return now;
}

async function sendNext(lane: LaneState, half: HalfWindow, account: LaneAccount, driver: ChannelDriver) {
  const { deps, queue, share, signals } = lane;
  const waited = share.gate.limit() === 0;
  const connections = await share.take(account.row, signals.stopping);
  if (connections === 0) return giveBackAll(lane, deps.clock.now());
  if (waited) {
    // While this worker waited for its share, another may have paused the account or taken its next slot.
    const now = await getAccount(deps.db, account.row.tenantId, account.row.id);
    if (now.revision !== account.row.revision || now.nextSlotAt?.getTime() !== account.row.nextSlotAt?.getTime()) {
      return forgetAccount(lane, half);
    }
  }
  const ahead = await takeNext(lane, half, account, windowSize(account.row, connections));
  try {
    if (!(await turnWindow(lane, account, half, ahead))) {
      half.account = null;
      return;
    }
  } catch (error) {
    if (!(error instanceof Overtaken)) throw error;
    queue.unshift(...half.next.splice(0));
    return settleSurely(lane, account.row, half.last.splice(0));
  }
  const { ready, stopped } = partOpened(lane, half.opened, ahead);
  for (const one of stopped) deps.attempted(account.row, one);
  half.opened = [];
  half.last = [...stopped, ...(await deliverAll(lane, half, account, driver, ready))];
}

/**
 * One turn of a half: settles what was, opens what comes next, and sends it.
 * @returns false when this half has nothing to do here: with a wait after each send there is one half.
 */
export async function workHalf(lane: LaneState, half: HalfWindow): Promise<boolean> {
  const { deps, holder } = lane;
  if (half.account !== null && lane.troubles !== half.troubles) {
    // With nothing to open beside it: the account may be paused, or resting, by now.
    await forgetAccount(lane, half);
  }
  half.troubles = lane.troubles;
  // Without a pace what was read last is used: whether it still holds is asked with the lock of the next messages.
  const known = half.account !== null && intervalMs(half.account.row) === 0 ? half.account : null;
  const account = known ?? (await readAccount(lane));
  half.account = account;
  if (account.row.waitAfterSendMs > 0 && lane.active > 1) return false;
  const taken = holder.take(account.row);
  try {
    const until = await hindrance(lane, account.row, taken);
    if (until !== null || taken.kind === 'refused') {
      await giveBackAll(lane, until ?? deps.clock.now());
    } else {
      await sendNext(lane, half, account, taken.driver);
    }
  } finally {
    if (taken.kind === 'taken') taken.release();
  }
  return true;
}
