/** What one pass of the worker may cause, by the rules: the other half of the model. */
import type { Deed, ProviderAnswer } from './lifecycle-commands.ts';
import {
  type Model,
  type ModelMessage,
  type ModelRequest,
  type Move,
  refusedByBox,
  type Status,
} from './lifecycle-model.ts';

/** What was done beside the sending, to the request of one message. */
export interface Meddling {
  deed: Deed;
  request: ModelRequest;
}

/** What is known of a pass when it is over. */
export interface Pass {
  startedAt: number;
  /** Whether the account was paused: all the time, or since something in the pass paused it. */
  held: 'before' | 'during' | null;
  beside: Meddling | undefined;
}

const cancelledSince = ({ request, validAt }: ModelMessage): boolean =>
  request.cancelledAt !== null && validAt < request.cancelledAt;

const expired = ({ now }: Model, { notAfter }: ModelMessage): boolean => notAfter !== null && notAfter <= now;

/** Whether a message may be tried in a pass that begins now and ends at `until`. */
export function mayBeTried(model: Model, message: ModelMessage, until: number): boolean {
  const stopped = model.paused || expired(model, message) || cancelledSince(message) || refusedByBox(model, message);
  return message.status === 'V' && !stopped && message.releaseAt <= until;
}

/** The moves, null for none, that a pass may cause in a message that it did not try. */
export function movesUntried(model: Model, message: ModelMessage, { startedAt, held, beside }: Pass): (Move | null)[] {
  const { status, request, releaseAt } = message;
  if (status !== 'E' && status !== 'V') return [null];
  const to = (target: Status, reason: string): Move => ({ from: status, to: target, reason });
  const deed = beside?.request === request ? beside.deed : null;
  const stopped =
    deed === 'cancel' ? [to('B', 'cancelled')] : deed === 'blockRequest' ? [to('B', 'blocked_by_user')] : [];
  const stays = deed === 'postpone' ? [null] : [];
  if (expired(model, message)) return [to('KO', 'expired'), ...stopped, ...stays];
  // Its turn may have come before the deed did.
  if (stopped.length > 0 && status === 'V' && releaseAt <= model.now && refusedByBox(model, message))
    stopped.push(to('B', 'choice_off'));
  // What was opened beside a fault of the account cannot be stopped, and goes back untried.
  if (stopped.length > 0) return held !== null && status === 'V' ? [null, ...stopped] : stopped;
  if (status === 'E' || held === 'before' || releaseAt > model.now) return [null];
  if (held === 'during' || releaseAt > startedAt) stays.push(null);
  if (cancelledSince(message)) return [...stays, to('B', 'cancelled')];
  // Due, and nothing in its way: not to be tried would be to be forgotten.
  return [...stays, ...(refusedByBox(model, message) ? [to('B', 'choice_off')] : [])];
}

const minute = 60_000;
const waits = [1, 5, 15, 30, 60];
const spread = 1.1;
const tryFor = 24 * 60 * minute;
const doubtsAllowed = 3;

/** The moves that a try with this answer may cause, null for none; `next`: from when to when it is tried again. */
export function movesTried(
  model: Model,
  message: ModelMessage,
  answer: ProviderAnswer,
  startedAt: number,
): { moves: (Move | null)[]; next: [number, number] } {
  const to = (target: Status, reason: Move['reason']): Move => ({ from: 'V', to: target, reason });
  // The fault of the account costs the message nothing.
  if (answer === 'relayDenied') return { moves: [null], next: [startedAt, model.now] };
  message.firstTriedAt ??= startedAt;
  message.attempts += 1;
  const wait = (waits[Math.min(message.attempts, waits.length) - 1] ?? 60) * minute;
  const next: [number, number] = [startedAt + wait, model.now + wait * spread];
  const deadline = message.notAfter ?? message.firstTriedAt + tryFor;
  const again = next[0] < deadline;
  const over = next[1] >= deadline;
  const doubtful = answer === 'takeAndCut' || answer === 'cutAtBody';
  if (answer === 'accept') return { moves: [to('OK', null)], next };
  if (answer === 'unknown' || answer === 'refusedAtBody') return { moves: [to('KO', undefined)], next };
  if (!doubtful) return { moves: [...(again ? [null] : []), ...(over ? [to('KO', undefined)] : [])], next };
  message.doubtsAt.push(startedAt);
  const since = message.firstTriedAt;
  const often = message.doubtsAt.filter((time) => time >= since).length >= doubtsAllowed;
  const held = to('KO', 'outcome_unknown');
  if (model.onUncertain === 'hold' || often) return { moves: [held], next };
  return { moves: [...(again ? [null] : []), ...(over ? [held] : [])], next };
}
