/**
 * What the lifecycle of messages should be, without any service: who is in which status, and which moves each thing
 * that happens may cause. Written from the rules, not from `src/`.
 */
import type { BulkAction, CommandOf, ProviderAnswer, Row } from './lifecycle-commands.ts';

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

/** Whether the box of the person it is for is not ticked. */
export const refusedByBox = ({ boxes }: Model, { person }: { person: number | null }) =>
  person !== null && !boxes[person];

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
