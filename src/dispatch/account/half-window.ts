import { eq } from 'drizzle-orm';
import type { Logger } from 'pino';
import { type AccountRow, getAccount, pauseAccount } from '../../accounts/store.ts';
import type { ChannelDriver } from '../../channels/channel.ts';
import { isUnavailable } from '../../db/client.ts';
import { channelAccounts } from '../../db/tables/dispatch.ts';
import { tenants } from '../../db/tables/tenants.ts';
import { type Redirect, redirectOf } from '../../messages/content.ts';
import { serviceActor } from '../../tenants/rights.ts';
import { type ClaimDeps, type Claimed, returnClaimed, undoWindow } from '../claim/claim.ts';
import {
  type Delivered,
  deliverMessage,
  type ReadyMessage,
  unbegun,
  unknownOutcome,
  withoutCopies,
} from '../window/deliver.ts';
import { type OpenMessage, openWindow } from '../window/open.ts';
import { awaitSlot } from '../window/pace.ts';
import { type PrepareDeps, prepareWindow } from '../window/prepare.ts';
import { settleWindow } from '../window/settle.ts';
import type { DriverDeps, DriverHolder, TakenDriver } from './driver-holder.ts';
import { heldUntil, windowSize } from './rhythm.ts';
import type { AccountShare } from './share.ts';

/** What a lane works with. */
export type LaneDeps = ClaimDeps &
  PrepareDeps &
  DriverDeps & {
    workerId: string;
    log: Logger;
    random(): number;
    probe(step: string): void | Promise<void>;
    /** Told of every attempt, for the log and the metrics. */
    attempted(account: AccountRow, delivered: Delivered): void;
  };

/** What the worker knows of the jobs it holds. */
export interface JobWatch {
  /** Whether a send of this message may still begin: its job is ours, and the worker has been heard of. */
  mayBegin(claimed: Claimed): boolean;
  /** The job is settled or given back. */
  forget(claimed: readonly Claimed[]): void;
}

/** How a worker ends: first nothing more is begun, then what is under way is waited for no longer. */
export interface LaneSignals {
  stopping: AbortSignal;
  givenUp: AbortSignal;
}

/** What the halves of a lane share. */
export interface LaneState {
  deps: LaneDeps;
  watch: JobWatch;
  signals: LaneSignals;
  tenantId: string;
  accountId: string;
  /** Claimed messages that are not begun. */
  queue: Claimed[];
  holder: DriverHolder;
  share: AccountShare;
  /** Halves at work now. */
  active: number;
}

interface LaneAccount {
  row: AccountRow;
  redirect: Redirect | null;
}

/** A half-window on its way: what became of the last one, and what was taken for the next. */
export interface HalfWindow {
  account: AccountRow | null;
  /** Their outcome is known and not settled yet. */
  last: Delivered[];
  /** Taken from the lane, not open as far as is known. */
  next: Claimed[];
  /** Open, nothing handed over yet. */
  opened: OpenMessage[];
}

const faultPauseMs = 1_000;
/** Messages whose window failed for the service's own trouble are left alone for a while. */
const afterFaultMs = 10_000;
/** What is known is kept through some minutes without a database. */
const settleTries = 300;
const returnTries = 10;

async function readAccount({ deps, tenantId, accountId }: LaneState): Promise<LaneAccount> {
  const [found] = await deps.db
    .select({ row: channelAccounts, testRedirect: tenants.testRedirect, locale: tenants.locale })
    .from(channelAccounts)
    .innerJoin(tenants, eq(tenants.id, channelAccounts.tenantId))
    .where(eq(channelAccounts.id, accountId));
  if (found === undefined) return { row: await getAccount(deps.db, tenantId, accountId), redirect: null };
  // What a test key sends reaches nobody: its address is the simulator's instruction, and is left alone.
  return { row: found.row, redirect: found.row.test ? null : redirectOf(deps.config, found) };
}

/**
 * Gives messages back, through a short absence of the database. When even that fails they are let go: jobs that
 * nobody keeps alive come back by themselves.
 */
export async function giveBack(
  lane: LaneState,
  claimed: readonly Claimed[],
  releaseAt: Date,
  give: typeof returnClaimed | typeof undoWindow = returnClaimed,
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

/**
 * Settles what is known, through faults of the database: an outcome that is lost would be a message in doubt. When
 * a window cannot be settled for another reason, each of its messages is settled by itself; one that still cannot is
 * let go: its job comes back, and its open attempt says that it is in doubt.
 */
export async function settleSurely(lane: LaneState, account: AccountRow, last: readonly Delivered[]): Promise<void> {
  const { deps, watch } = lane;
  for (let turn = 1; turn <= settleTries && last.length > 0; turn += 1) {
    try {
      await deps.db.transaction((tx) => settleWindow(deps, tx, account, last));
      break;
    } catch (error) {
      deps.log.error({ err: error, account: account.id, messages: last.length }, 'dispatch.settle-failed');
      if (!isUnavailable(error) && turn >= 3) {
        if (last.length > 1) for (const one of last) await settleSurely(lane, account, [one]);
        break;
      }
      await deps.clock.wait(faultPauseMs);
    }
  }
  watch.forget(last.map(({ open }) => open.claimed));
}

/** Settles the last half-window and opens the next in one commit. */
async function turnWindow({ deps, watch }: LaneState, account: AccountRow, half: HalfWindow): Promise<void> {
  await deps.probe('settle.begin');
  const opened = await deps.db.transaction(async (tx) => {
    await settleWindow(deps, tx, account, half.last);
    await deps.probe('settle.inside');
    return openWindow(deps, tx, account, half.next);
  });
  watch.forget(half.last.map(({ open }) => open.claimed));
  const openedIds = new Set(opened.map(({ row }) => row.id));
  watch.forget(half.next.filter(({ messageId }) => !openedIds.has(messageId)));
  Object.assign(half, { last: [], next: [], opened });
  await deps.probe('window.opened');
}

async function deliverAll(
  { deps, watch, share, signals }: LaneState,
  account: LaneAccount,
  driver: ChannelDriver,
  ready: readonly ReadyMessage[],
): Promise<Delivered[]> {
  const { stopping, givenUp } = signals;
  const mayBegin = (open: OpenMessage) => watch.mayBegin(open.claimed);
  const carriage = { driver, redirect: account.redirect, givenUp, mayBegin };
  const begin = async (message: ReadyMessage): Promise<Delivered> => {
    // Without a slot nothing begins, and nothing is in doubt.
    const notBefore = await awaitSlot(deps, account.row, message.open.slotAt, stopping).catch(
      () => new Date(deps.clock.now().getTime() + afterFaultMs),
    );
    if (notBefore !== null || stopping.aborted) return unbegun(message.open, deps.clock.now(), notBefore);
    return deliverMessage(deps, carriage, message);
  };
  const one = async (message: ReadyMessage): Promise<Delivered> => {
    const delivered = await share.gate
      .run(() => begin(message))
      .catch(() => withoutCopies(message.open, unknownOutcome, deps.clock.now()));
    deps.attempted(account.row, delivered);
    return delivered;
  };
  return Promise.all(ready.map(one));
}

/** Until when nothing may be begun on the account; null when it may. */
async function hindrance({ deps }: LaneState, account: AccountRow, taken: TakenDriver): Promise<Date | null> {
  const now = deps.clock.now();
  if (account.pausedAt !== null) return now;
  if (taken.kind === 'taken') return heldUntil(account, now);
  const target = { tenantId: account.tenantId, id: account.id, actor: serviceActor };
  await deps.db.transaction((tx) => pauseAccount(deps, tx, target, taken.reason));
  return now;
}

/** Whether what happened changes what the account may do next: then it is settled before anything is opened. */
function changesAccount(account: AccountRow, last: readonly Delivered[]): boolean {
  return last.some(
    ({ verdict: { kind } }) =>
      kind === 'account_fault' || (account.waitAfterErrorMs > 0 && (kind === 'transient' || kind === 'uncertain')),
  );
}

async function sendNext(lane: LaneState, half: HalfWindow, account: LaneAccount, driver: ChannelDriver) {
  const { deps, queue, share, signals } = lane;
  const waited = share.gate.limit() === 0;
  const connections = await share.take(account.row, signals.stopping);
  if (connections === 0) return giveBack(lane, queue.splice(0), deps.clock.now());
  if (waited) {
    // While this worker waited for its share, another may have paused the account or taken its next slot.
    const now = await getAccount(deps.db, account.row.tenantId, account.row.id);
    if (now.revision !== account.row.revision || now.nextSlotAt?.getTime() !== account.row.nextSlotAt?.getTime())
      return;
  }
  half.next = queue.splice(0, windowSize(account.row, connections));
  await turnWindow(lane, account.row, half);
  const { ready, stopped } = await prepareWindow(deps, half.opened, account.redirect);
  for (const one of stopped) deps.attempted(account.row, one);
  half.opened = [];
  half.last = [...stopped, ...(await deliverAll(lane, account, driver, ready))];
}

/**
 * One turn of a half: settles what was, opens what comes next, and sends it.
 * @returns false when this half has nothing to do here: with a wait after each send there is one half.
 */
export async function workHalf(lane: LaneState, half: HalfWindow): Promise<boolean> {
  const { deps, holder, queue } = lane;
  if (half.account !== null && changesAccount(half.account, half.last)) {
    await settleSurely(lane, half.account, half.last.splice(0));
  }
  const account = await readAccount(lane);
  half.account = account.row;
  if (account.row.waitAfterSendMs > 0 && lane.active > 1) return false;
  const taken = holder.take(account.row);
  try {
    const until = await hindrance(lane, account.row, taken);
    if (until !== null || taken.kind === 'refused') {
      await giveBack(lane, queue.splice(0), until ?? deps.clock.now());
    } else {
      await sendNext(lane, half, account, taken.driver);
    }
  } finally {
    if (taken.kind === 'taken') taken.release();
  }
  return true;
}

/**
 * After a fault of the service itself (its database, most likely). A lane must not keep what it cannot send: a job
 * that is held and never begun is a message that is stuck.
 */
export async function recoverHalf(lane: LaneState, half: HalfWindow, error: unknown): Promise<void> {
  const { deps, queue, signals, accountId } = lane;
  deps.log.error({ err: error, account: accountId }, 'dispatch.lane-failed');
  const now = deps.clock.now();
  const later = new Date(now.getTime() + afterFaultMs);
  half.last.push(...half.opened.splice(0).map((open) => unbegun(open, now, later)));
  await giveBack(lane, half.next.splice(0), later, undoWindow);
  await giveBack(lane, queue.splice(0), later);
  // By itself: what could not be settled with the opening of others must not fail theirs again.
  if (half.account !== null) await settleSurely(lane, half.account, half.last.splice(0));
  await deps.clock.wait(faultPauseMs, signals.stopping);
}
