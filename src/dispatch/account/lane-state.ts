import type { Logger } from 'pino';
import type { AccountRow } from '../../accounts/store.ts';
import type { Redirect } from '../../messages/content.ts';
import type { RuleDeps } from '../../messages/rules.ts';
import type { ClaimDeps, Claimed } from '../claim/claimed.ts';
import type { Doubtful } from '../claim/doubt.ts';
import type { JobWatch } from '../claim/job-watch.ts';
import type { Delivered } from '../window/deliver.ts';
import type { OpenMessage } from '../window/open.ts';
import type { PrepareDeps } from '../window/prepare.ts';
import type { ReadAhead } from '../window/read-ahead.ts';
import type { DriverDeps, DriverHolder } from './driver-holder.ts';
import type { AccountShare } from './share.ts';

/** What a lane works with. */
export type LaneDeps = ClaimDeps &
  PrepareDeps &
  RuleDeps &
  DriverDeps & {
    workerId: string;
    log: Logger;
    random(): number;
    probe(step: string): void | Promise<void>;
    /** Told of every attempt, for the log and the metrics. */
    attempted(account: AccountRow, delivered: Delivered): void;
    /** Told of every message whose attempt a worker has left open: what became of it nobody knows. */
    foundInDoubt(message: Doubtful): void;
  };

/** How a worker ends: first nothing more is begun, then what is under way is waited for no longer. */
export interface LaneSignals {
  stopping: AbortSignal;
  givenUp: AbortSignal;
}

/** Messages of a window to come, read and prepared for the account as it was known. */
export interface ReadingAhead {
  account: LaneAccount;
  claimed: Claimed[];
  read: Promise<ReadAhead>;
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
  /** Taken from the queue for the window after those at work, and being read and prepared. */
  ahead: ReadingAhead | null;
  holder: DriverHolder;
  share: AccountShare;
  /** Halves at work now. */
  active: number;
  /** Troubles of the account met so far: what was read of it before the last one does not hold any more. */
  troubles: number;
  /** Troubles that are being written to the account's row. */
  untold: number;
}

/** The account of a lane as it was read, and where its mails are redirected. */
export interface LaneAccount {
  row: AccountRow;
  redirect: Redirect | null;
  tenantRevision: number;
}

/** A half-window on its way: what became of the last one, and what was taken for the next. */
export interface HalfWindow {
  account: LaneAccount | null;
  /** Troubles of the account that were known when it was read. */
  troubles: number;
  /** Their outcome is known and not settled yet. */
  last: Delivered[];
  /** Taken from the lane, not open as far as is known. */
  next: Claimed[];
  /** Ids of the attempts that were written for `next`: whether they were committed is not known. */
  written: string[];
  /** Open, nothing handed over yet. */
  opened: OpenMessage[];
}
