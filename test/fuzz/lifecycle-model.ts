/**
 * What the lifecycle of messages should be, without any service: who is in which status, and which moves each thing
 * that happens may cause. Written from the rules, not from `src/`.
 */
import type { BulkAction, CommandOf, Deed, ProviderAnswer, Row } from './lifecycle-commands.ts';

export type Status = 'E' | 'V' | 'OK' | 'KO' | 'B';

/** A move as its transition tells it. `reason` undefined: any (it is the provider's). */
export interface Move {
  from: Status | null;
  to: Status;
  reason: string | null | undefined;
}

/** One try as the provider saw it. */
export interface Try {
  answer: ProviderAnswer;
  /** The part of the Message-ID before `@`; null when the content was not sent. */
  identifier: string | null;
  address: string;
}

export interface ModelMessage {
  id: string;
  request: ModelRequest;
  person: number | null;
  address: string;
  /** Born with an address that is none, and not corrected since. */
  addressFault: boolean;
  goodName: boolean;
  /** Its content was made without a fault once. */
  rendered: boolean;
  status: Status;
  reason: string | null | undefined;
  sendAt: number | null;
  notAfter: number | null;
  /** Not to be tried before; of a `V` only. */
  releaseAt: number;
  /** Tries that count since the last resend, the first one since it became `V`, and those in doubt. */
  attempts: number;
  firstTriedAt: number | null;
  doubtsAt: number[];
  /** When it last became `V`. */
  validAt: number;
  revision: number;
  toldSent: boolean;
  moves: Move[];
  tries: Try[];
}

export interface ModelRequest {
  id: string;
  status: 'draft' | 'accepted' | 'cancelled';
  rows: Row[];
  addresses: string[];
  validation: 'manual' | 'automatic';
  sendAt: number | null;
  notAfter: number | null;
  cancelledAt: number | null;
}

export interface Model {
  now: number;
  onUncertain: 'resend' | 'hold';
  paused: boolean;
  /** Whether the box of each person is ticked. */
  boxes: boolean[];
  requests: ModelRequest[];
  messages: ModelMessage[];
}

/** Every move there is. `KO→OK` and the note `KO→KO` are for an unknown outcome that a person tells. */
export const legalMoves: Readonly<Record<Status, readonly Status[]>> = {
  E: ['V', 'B', 'KO'],
  V: ['B', 'OK', 'KO'],
  OK: [],
  KO: ['V', 'OK', 'KO'],
  B: ['V'],
};

const sources: Record<BulkAction, readonly Status[]> = { validate: ['E', 'B'], block: ['E', 'V'], resend: ['KO'] };

/** The statuses that an action takes. */
export const takes = (action: BulkAction, { status }: ModelMessage): boolean => sources[action].includes(status);

export const messagesOf = (model: Model, request: ModelRequest): ModelMessage[] =>
  model.messages.filter((message) => message.request === request);

const refusedByBox = ({ boxes }: Model, { person }: { person: number | null }) => person !== null && !boxes[person];

export function move(model: Model, message: ModelMessage, to: Status, reason: Move['reason']): void {
  message.moves.push({ from: message.status, to, reason });
  if (to === 'V') {
    if (message.status === 'KO') Object.assign(message, { attempts: 0, revision: message.revision + 1 });
    const releaseAt = Math.max(message.sendAt ?? 0, model.now);
    Object.assign(message, { releaseAt, validAt: model.now, firstTriedAt: null });
  }
  Object.assign(message, { status: to, reason });
}

/** How a row is born. */
export function birthOf(
  model: Model,
  row: Row,
  validation: 'manual' | 'automatic',
): { status: Status; reason: string | null } {
  if (!row.goodAddress) return { status: 'KO', reason: 'address_invalid' };
  if (!row.goodName) return { status: 'KO', reason: 'field_missing' };
  if (refusedByBox(model, row)) return { status: 'B', reason: 'choice_off' };
  return { status: validation === 'automatic' ? 'V' : 'E', reason: null };
}

/** Makes the messages of a request that was accepted, in the order of its rows. */
export function giveBirth(model: Model, request: ModelRequest, ids: readonly string[]): void {
  for (const [index, row] of request.rows.entries()) {
    const { sendAt, notAfter } = request;
    const birth = birthOf(model, row, request.validation);
    model.messages.push({
      id: ids[index] ?? '',
      request,
      person: row.person,
      address: request.addresses[index] ?? '',
      addressFault: !row.goodAddress,
      goodName: row.goodName,
      rendered: row.goodAddress && row.goodName,
      ...birth,
      sendAt,
      notAfter,
      releaseAt: sendAt ?? model.now,
      attempts: 0,
      firstTriedAt: null,
      doubtsAt: [],
      validAt: model.now,
      revision: 1,
      toldSent: false,
      moves: [{ from: null, to: birth.status, reason: birth.reason }],
      tries: [],
    });
  }
}

/** Whether a request with these times is taken now. */
export const goodTimes = ({ now }: Model, sendAt: number | null, notAfter: number | null): boolean =>
  (sendAt === null || sendAt > now) &&
  (notAfter === null || notAfter > now) &&
  (sendAt === null || notAfter === null || sendAt < notAfter);

/** Does an action with one message. @returns the code of its refusal; null when it was done. */
export function act(model: Model, message: ModelMessage, action: BulkAction, wrongHash = false): string | null {
  if (!takes(action, message)) return 'illegal_move';
  if (wrongHash) return 'content_changed';
  if (action === 'block') {
    move(model, message, 'B', 'blocked_by_user');
    return null;
  }
  if (message.notAfter !== null && message.notAfter <= model.now) return 'cannot_be_sent';
  if (!message.rendered) return 'cannot_be_sent';
  if (refusedByBox(model, message)) {
    if (message.status === 'E') move(model, message, 'B', 'choice_off');
    return 'blocked_by_rule';
  }
  move(model, message, 'V', null);
  return null;
}

/** A person tells what became of a message in doubt. */
export function resolve(model: Model, message: ModelMessage, outcome: 'sent' | 'notSent'): string | null {
  if (message.status !== 'KO' || message.reason !== 'outcome_unknown') return 'illegal_move';
  if (outcome === 'sent') move(model, message, 'OK', null);
  else move(model, message, 'KO', 'not_sent');
  message.toldSent = outcome === 'sent';
  return null;
}

/** Corrects a message. `address`: the new one. */
export function correct(
  model: Model,
  message: ModelMessage,
  change: CommandOf<'correct'>['change'],
  address: string,
): string | null {
  if (!['E', 'B', 'KO'].includes(message.status)) return 'illegal_move';
  if (change === 'badTo') return 'unprocessable';
  if (change === 'remark') return null;
  const newAddress = change === 'to' || change === 'both';
  const goodName = message.goodName || change === 'data' || change === 'both';
  const addressFault = message.addressFault && !newAddress;
  if (!addressFault && !goodName) return 'cannot_be_sent';
  Object.assign(message, { goodName, addressFault, revision: message.revision + 1 });
  if (newAddress) message.address = address;
  if (!addressFault) message.rendered = true;
  if (message.status === 'E' && refusedByBox(model, message)) move(model, message, 'B', 'choice_off');
  return null;
}

/** Cancels a request. @returns the messages that it stopped. */
export function cancel(model: Model, request: ModelRequest): ModelMessage[] {
  const stopped = messagesOf(model, request).filter(({ status }) => status === 'E' || status === 'V');
  for (const message of stopped) move(model, message, 'B', 'cancelled');
  request.cancelledAt ??= model.now;
  request.status = 'cancelled';
  return stopped;
}

/** New times of a request, those that are given. @returns the code of its refusal; null when they hold. */
export function reschedule(
  model: Model,
  request: ModelRequest,
  change: { sendAt?: number | null; notAfter?: number | null },
): string | null {
  if (Object.keys(change).length === 0) return 'invalid_body';
  if (request.status === 'cancelled') return 'conflict';
  const { sendAt = request.sendAt, notAfter = request.notAfter } = change;
  const past = (time: number | null | undefined) => time != null && time <= model.now;
  if (past(change.sendAt) || past(change.notAfter)) return 'unprocessable';
  if (sendAt !== null && notAfter !== null && sendAt >= notAfter) return 'unprocessable';
  Object.assign(request, { sendAt, notAfter });
  for (const message of messagesOf(model, request)) {
    if (message.status !== 'E' && message.status !== 'V') continue;
    Object.assign(message, { sendAt, notAfter });
    if (message.status !== 'V' || change.sendAt === undefined) continue;
    const soonest = Math.max(sendAt ?? 0, model.now);
    message.releaseAt = message.attempts === 0 ? soonest : Math.max(message.releaseAt, soonest);
  }
  return null;
}

/** What was done beside the sending, to the request of one message. */
export interface Meddling {
  deed: Deed;
  request: ModelRequest;
}

/** Whether the rules let a message be tried in this pass of the worker; its account and its box, as they were before it. */
export function mayBeTried(model: Model, message: ModelMessage): boolean {
  const { request, notAfter } = message;
  const expired = notAfter !== null && notAfter <= model.now;
  const cancelled = request.cancelledAt !== null && message.validAt < request.cancelledAt;
  const open = !model.paused && !expired && !cancelled && !refusedByBox(model, message);
  return message.status === 'V' && open && message.releaseAt <= model.now;
}

/** The moves, null for none, that one pass of the worker may cause in a message that it did not try. */
export function movesUntried(model: Model, message: ModelMessage, held: boolean, meddling?: Meddling): (Move | null)[] {
  const { status, notAfter, request } = message;
  if (status !== 'E' && status !== 'V') return [null];
  const to = (target: Status, reason: string): Move => ({ from: status, to: target, reason });
  const deed = meddling?.request === request ? meddling.deed : null;
  const stopped =
    deed === 'cancel' ? [to('B', 'cancelled')] : deed === 'blockRequest' ? [to('B', 'blocked_by_user')] : [];
  const postponed = deed === 'postpone' ? [null] : [];
  if (notAfter !== null && notAfter <= model.now) return [to('KO', 'expired'), ...stopped, ...postponed];
  // What was opened beside a fault of the account cannot be stopped, and goes back untried.
  if (stopped.length > 0) return held && status === 'V' ? [null, ...stopped] : stopped;
  if (status === 'E' || held || message.releaseAt > model.now) return [null];
  if (request.cancelledAt !== null && message.validAt < request.cancelledAt) return [to('B', 'cancelled')];
  // Due, and nothing in its way: not to be tried would be to be forgotten.
  return [...postponed, ...(refusedByBox(model, message) ? [to('B', 'choice_off')] : [])];
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
  message.firstTriedAt ??= startedAt;
  if (answer === 'relayDenied') {
    // The fault of the account costs the message nothing.
    if (message.attempts === 0) message.firstTriedAt = null;
    return { moves: [null], next: [startedAt, model.now] };
  }
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
