import type { ChannelDriver, Outcome } from '../../channels/channel.ts';
import type { Clock } from '../../clock.ts';
import type { StoredCopy } from '../../db/tables/messages.ts';
import type { Redirect } from '../../messages/content.ts';
import type { OpenMessage } from './open.ts';

/** What became of an opened message: an outcome of its channel, or why it was never handed over. */
export type Verdict =
  | Outcome
  /** It cannot be sent as it is: its content changed, or cannot be rendered any more. */
  | { kind: 'unsendable'; reason: string }
  /** Nothing was handed over: this worker stopped before it began, or could not prepare it now. */
  | { kind: 'not_begun'; notBefore: Date | null };

/** An opened message with what became of it and of its copies. */
export interface Delivered {
  open: OpenMessage;
  verdict: Verdict;
  copies: StoredCopy[];
  /** Of copies tried now, for the attempt. */
  copyOutcomes: { address: string; outcome: string; reason: string | null; code: number | null }[];
  /** Hash of what left, when it is not the one that was approved automatically. */
  contentHash: string | null;
  finishedAt: Date;
  durationMs: number;
}

/** What handing over needs. */
export interface DeliverDeps {
  clock: Clock;
  probe(step: string): void | Promise<void>;
}

/** A message ready to be handed over. */
export interface ReadyMessage {
  open: OpenMessage;
  raw: readonly Uint8Array[];
  from: string;
  contentHash: string | null;
}

/** How the account is used while a window is delivered. */
export interface Carriage {
  driver: ChannelDriver;
  redirect: Redirect | null;
  /** Aborted when the worker can wait no longer: what is under way then has an unknown outcome. */
  givenUp: AbortSignal;
  /** Whether a send may still begin: false once the job is lost or the worker stands still. */
  mayBegin(open: OpenMessage): boolean;
}

/** What became of an opened message whose copies were not tried. */
export function withoutCopies(open: OpenMessage, verdict: Verdict, finishedAt: Date): Delivered {
  return { open, verdict, copies: open.row.copies, copyOutcomes: [], contentHash: null, finishedAt, durationMs: 0 };
}

/** An opened message of which nothing was handed over. `notBefore`: when it is tried again; null: at once. */
export function unbegun(open: OpenMessage, finishedAt: Date, notBefore: Date | null = null): Delivered {
  return withoutCopies(open, { kind: 'not_begun', notBefore }, finishedAt);
}

/** It may have been handed over: nobody can tell. */
export const unknownOutcome: Outcome = {
  kind: 'uncertain',
  answer: { step: 'body', code: null, enhancedCode: null, text: null },
  reason: 'outcome_unknown',
};

/**
 * One hand-over. A driver that rejects has a bug, and may have sent it: unknown, like what is given up.
 * @returns null when it was not begun.
 */
function handOver(carriage: Carriage, { open, from, raw }: ReadyMessage, to: string): Promise<Outcome | null> {
  const { driver, givenUp } = carriage;
  if (givenUp.aborted) return Promise.resolve(unknownOutcome);
  if (!carriage.mayBegin(open)) return Promise.resolve(null);
  let refused = false;
  const mayBegin = (): boolean => {
    refused = !carriage.mayBegin(open);
    return !refused;
  };
  return new Promise((resolve) => {
    const giveUp = () => resolve(unknownOutcome);
    givenUp.addEventListener('abort', giveUp, { once: true });
    driver
      .deliver({ messageId: open.row.id, from, to, raw, mayBegin })
      .catch(() => unknownOutcome)
      .then((outcome) => {
        givenUp.removeEventListener('abort', giveUp);
        resolve(refused ? null : outcome);
      });
  });
}

function copyAfter(copy: StoredCopy, outcome: Outcome, now: Date): StoredCopy {
  const at = now.toISOString();
  const { code } = outcome.answer;
  switch (outcome.kind) {
    case 'accepted':
      return { ...copy, outcome: 'accepted', reason: null, code, at };
    case 'permanent':
      return { ...copy, outcome: 'failed', reason: outcome.reason, code, at };
    // Tried again with the message's own waits, without the message.
    case 'transient':
    case 'account_fault':
      return { ...copy, outcome: 'pending', reason: outcome.reason, code, at };
    case 'uncertain':
      return { ...copy, outcome: 'uncertain', reason: outcome.reason, code, at, doubts: (copy.doubts ?? 0) + 1 };
    default:
      return outcome satisfies never;
  }
}

/** Hands over the copies that are pending, each by itself: no copy waits for, or fails with, another. */
async function deliverCopies(deps: DeliverDeps, carriage: Carriage, ready: ReadyMessage) {
  const copies = [...ready.open.row.copies];
  const outcomes: Delivered['copyOutcomes'] = [];
  let fault: Outcome | null = null;
  for (const [position, copy] of copies.entries()) {
    if (copy.outcome !== 'pending' || fault !== null || carriage.givenUp.aborted) continue;
    const to = carriage.redirect?.to ?? copy.address;
    const outcome = await handOver(carriage, ready, to);
    if (outcome === null) continue;
    copies[position] = copyAfter(copy, outcome, deps.clock.now());
    const reason = outcome.kind === 'accepted' ? null : outcome.reason;
    outcomes.push({ address: copy.address, outcome: outcome.kind, reason, code: outcome.answer.code });
    if (outcome.kind === 'account_fault') fault = outcome;
  }
  return { copies, outcomes, fault };
}

const alreadyAccepted: Outcome = {
  kind: 'accepted',
  answer: { step: 'accepted', code: null, enhancedCode: null, text: null },
  providerReference: null,
};

/**
 * Hands one message to its provider: the `to` first, then, once that is accepted, each copy by itself. For a message
 * that is `OK` already only its pending copies are handed over. Nothing of the database is held meanwhile.
 */
export async function deliverMessage(deps: DeliverDeps, carriage: Carriage, ready: ReadyMessage): Promise<Delivered> {
  const { open } = ready;
  const startedAt = deps.clock.now();
  const finish = (
    verdict: Verdict,
    copies = open.row.copies,
    copyOutcomes: Delivered['copyOutcomes'] = [],
  ): Delivered => {
    const finishedAt = deps.clock.now();
    const durationMs = Math.max(0, finishedAt.getTime() - startedAt.getTime());
    return { open, verdict, copies, copyOutcomes, contentHash: ready.contentHash, finishedAt, durationMs };
  };
  if (!carriage.mayBegin(open)) return unbegun(open, startedAt);
  await deps.probe('handover.begin');
  let verdict: Outcome = alreadyAccepted;
  if (open.row.status === 'V') {
    const to = carriage.redirect?.to ?? open.row.toAddress ?? '';
    const outcome = await handOver(carriage, ready, to);
    await deps.probe('handover.end');
    if (outcome === null) return unbegun(open, startedAt);
    verdict = outcome;
  }
  if (verdict.kind !== 'accepted') return finish(verdict);
  const { copies, outcomes, fault } = await deliverCopies(deps, carriage, ready);
  // A fault of the account that a copy met pauses it (`trouble.ts`), but the message itself has left.
  return finish(open.row.status === 'OK' && fault !== null ? fault : verdict, copies, outcomes);
}
