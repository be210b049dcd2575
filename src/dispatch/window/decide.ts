import type { AccountRow } from '../../accounts/store.ts';
import type { StoredCopy } from '../../db/tables/messages.ts';
import type { EventType } from '../../events/store.ts';
import type { MessageRow } from '../../messages/content.ts';
import { uncertainTries } from '../claim/doubt.ts';
import type { Delivered, Verdict } from './deliver.ts';
import { nextTryAt, tryForSeconds } from './retry-policy.ts';

/** How a message stands after an attempt: the one place where outcomes become statuses. */
export interface Decision {
  status: MessageRow['status'];
  delivery: MessageRow['delivery'];
  /** `idle`, or `waiting` for another try of the message or of its copies. */
  dispatchState: 'idle' | 'waiting';
  reason: string | null;
  detail: Record<string, unknown> | null;
  releaseAt: Date | null;
  copies: StoredCopy[];
  /** Tries that cost the message nothing are not counted. */
  countsAsAttempt: boolean;
  /** Event beside the one of the move. */
  event: EventType | null;
}

/** Tries end at `notAfter`, or a day after the first one since it was validated. */
const deadlineOf = (row: MessageRow, now: Date): Date =>
  row.notAfter ?? new Date((row.firstTriedAt ?? now).getTime() + tryForSeconds * 1_000);

const skipPending = (copies: readonly StoredCopy[]): StoredCopy[] =>
  copies.map((copy) => (copy.outcome === 'pending' ? { ...copy, outcome: 'skipped' } : copy));

const failPending = (copies: readonly StoredCopy[]): StoredCopy[] =>
  copies.map((copy) => (copy.outcome === 'pending' ? { ...copy, outcome: 'failed' } : copy));

function detailOf(verdict: Verdict, more: Record<string, unknown> = {}): Record<string, unknown> | null {
  if (!('answer' in verdict)) return Object.keys(more).length === 0 ? null : more;
  const { step, code, enhancedCode, text } = verdict.answer;
  return { step, code, enhancedCode, answer: text, ...more };
}

interface Circumstances {
  now: Date;
  random: number;
  onUncertain: AccountRow['onUncertain'];
}

/** The next try by our own policy, or null when the message's time is over. */
function retryAt({ open }: Delivered, circumstances: Circumstances, wishSeconds: number | null): Date | null {
  return nextTryAt({
    now: circumstances.now,
    attempt: open.attemptNumber,
    wishSeconds,
    deadline: deadlineOf(open.row, circumstances.now),
    random: circumstances.random,
  });
}

function accepted(delivered: Delivered, circumstances: Circumstances): Decision {
  const { copies } = delivered;
  const settled = circumstances.onUncertain === 'resend' ? copies.map(renewUncertain) : copies;
  const pending = settled.some(({ outcome }) => outcome === 'pending');
  const releaseAt = pending ? retryAt(delivered, circumstances, null) : null;
  const failed = releaseAt === null ? failPending(settled) : settled;
  const newlyFailed = failed.some(
    (copy, index) =>
      (copy.outcome === 'failed' || copy.outcome === 'uncertain') &&
      delivered.open.row.copies[index]?.outcome === 'pending',
  );
  return {
    status: 'OK',
    delivery: 'sent',
    dispatchState: releaseAt === null ? 'idle' : 'waiting',
    reason: null,
    detail: null,
    releaseAt,
    copies: failed,
    countsAsAttempt: true,
    event: newlyFailed ? 'message.copy-failed' : null,
  };
}

/** Under `resend` a copy in doubt is sent again, as a message would be, and not more often. */
const renewUncertain = (copy: StoredCopy): StoredCopy =>
  copy.outcome === 'uncertain' && (copy.doubts ?? 0) < uncertainTries ? { ...copy, outcome: 'pending' } : copy;

function givenUp(delivered: Delivered, reason: string, detail: Record<string, unknown> | null): Decision {
  return {
    status: 'KO',
    delivery: 'none',
    dispatchState: 'idle',
    reason,
    detail,
    releaseAt: null,
    copies: skipPending(delivered.copies),
    countsAsAttempt: true,
    event: null,
  };
}

function waiting(delivered: Delivered, releaseAt: Date, reason: string | null, counts: boolean): Decision {
  return {
    status: 'V',
    delivery: 'none',
    dispatchState: 'waiting',
    reason,
    detail: detailOf(delivered.verdict),
    releaseAt,
    copies: delivered.copies,
    countsAsAttempt: counts,
    event: counts ? 'message.retry-planned' : null,
  };
}

/** For a message that is `OK` already: only its copies were tried, whatever happened it stays `OK`. */
function copiesOnly(delivered: Delivered, circumstances: Circumstances): Decision {
  if (delivered.verdict.kind === 'accepted') return accepted(delivered, circumstances);
  const again = delivered.verdict.kind === 'account_fault' || delivered.verdict.kind === 'not_begun';
  const base = { status: 'OK', delivery: 'sent', reason: null, detail: null, event: null } as const;
  if (again) {
    const { copies } = delivered;
    const { verdict } = delivered;
    const releaseAt = (verdict.kind === 'not_begun' ? verdict.notBefore : null) ?? circumstances.now;
    return { ...base, dispatchState: 'waiting', releaseAt, copies, countsAsAttempt: false };
  }
  const copies = failPending(delivered.copies);
  return {
    ...base,
    dispatchState: 'idle',
    releaseAt: null,
    copies,
    countsAsAttempt: true,
    event: 'message.copy-failed',
  };
}

/**
 * Turns what became of a hand-over into the message's next state. A passing failure waits by our own policy until
 * `notAfter` or a day; a permanent one is `KO` at once; a fault of the account costs no attempt; an unknown outcome
 * follows the account's `onUncertain`.
 */
export function decide(delivered: Delivered, circumstances: Circumstances): Decision {
  const { verdict, open } = delivered;
  if (open.row.status === 'OK') return copiesOnly(delivered, circumstances);
  switch (verdict.kind) {
    case 'accepted':
      return accepted(delivered, circumstances);
    case 'transient': {
      const next = retryAt(delivered, circumstances, verdict.retryAfterSeconds);
      if (next !== null) return waiting(delivered, next, verdict.reason, true);
      return givenUp(delivered, verdict.reason, detailOf(verdict, { retriesExhausted: true }));
    }
    case 'permanent':
      return givenUp(delivered, verdict.reason, detailOf(verdict, { suppressAddress: verdict.suppressAddress }));
    case 'account_fault':
      return waiting(delivered, circumstances.now, verdict.reason, false);
    case 'uncertain': {
      const next = circumstances.onUncertain === 'resend' ? retryAt(delivered, circumstances, null) : null;
      if (next !== null) return { ...waiting(delivered, next, verdict.reason, true), event: 'message.uncertain' };
      const held = givenUp(delivered, 'outcome_unknown', detailOf(verdict));
      return { ...held, delivery: 'uncertain', event: 'message.uncertain' };
    }
    case 'unsendable':
      return givenUp(delivered, verdict.reason, null);
    case 'not_begun':
      return waiting(delivered, verdict.notBefore ?? circumstances.now, null, false);
    default:
      return verdict satisfies never;
  }
}
