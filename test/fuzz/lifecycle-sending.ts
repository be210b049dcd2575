/** Passes of the worker in a life: what was tried, what moved by itself, and what a person does meanwhile. */
import assert from 'node:assert/strict';
import { done } from '../support/broker.ts';
import { readAll, type Touched } from './lifecycle-checks.ts';
import type { Deed } from './lifecycle-commands.ts';
import { type Model, type ModelMessage, type Move, messagesOf, reschedule, type Try } from './lifecycle-model.ts';
import { type Meddling, mayBeTried, movesTried, movesUntried, type Pass } from './lifecycle-passes.ts';
import { choice, type Living, personPath, same, see, type View } from './lifecycle-stage.ts';

const minute = 60_000;
/** What is done beside a sending is told apart from what came before and comes after it. */
const tickMs = 1_000;

/** What a person did during the pass, and how many messages the answer says it blocked. */
interface Done extends Meddling {
  blocked: number;
}

/** Nothing that is asked of a message while it is being sent is done. */
async function refusedWhileSending({ ask }: Living, { id }: ModelMessage): Promise<void> {
  const path = `/v1/messages/${id}`;
  for (const action of ['block', 'validate', 'resend']) {
    const { status, body } = await ask('POST', `${path}/${action}`, {});
    same([status, body.code, body.currentStatus], [409, 'being_sent', 'V'], `${action} of ${id} while it is sent`);
  }
  const corrected = await ask('PATCH', path, { subject: 'Late' }, { 'if-match': '*' });
  same([corrected.status, corrected.body.code], [409, 'being_sent'], `correcting ${id} while it is sent`);
  const resolved = await ask('POST', `${path}/resolve`, { outcome: 'sent' });
  same([resolved.status, resolved.body.code], [409, 'illegal_move'], `resolving ${id} while it is sent`);
}

async function postpone({ ask, model }: Living, held: ModelMessage): Promise<boolean> {
  const { request } = held;
  const kept = messagesOf(model, request).map((message) => ({ message, before: { ...message } }));
  const sendAt = model.now + 600 * minute;
  const refusal = reschedule(model, request, { sendAt });
  // What was sent before this keeps its times: they are read from the messages afterwards.
  for (const { message, before } of kept) Object.assign(message, before);
  const path = `/v1/send-requests/${request.id}`;
  const answer = await ask('PATCH', path, { sendAt: new Date(sendAt).toISOString() }, { 'if-match': '*' });
  same(answer.status, refusal === null ? 200 : refusal === 'conflict' ? 409 : 422, `postponing ${request.id}`);
  return refusal === null;
}

/** Does something with the message whose content the provider has, or with its request. */
async function doBeside(living: Living, held: ModelMessage, deed: Deed): Promise<Done | undefined> {
  const { ask, model, accountId } = living;
  const { id, request } = held;
  const isHeld = (refused: { id: string; code: string }[]) =>
    same(refused.find((one) => one.id === id)?.code, 'being_sent', `${deed}: ${id} is being sent`);
  switch (deed) {
    case 'each':
      await refusedWhileSending(living, held);
      return undefined;
    case 'cancel': {
      const { blocked, refused } = await done(ask('POST', `/v1/send-requests/${request.id}/cancel`));
      isHeld(refused);
      request.status = 'cancelled';
      request.cancelledAt ??= model.now;
      return { deed, request, blocked };
    }
    case 'blockRequest': {
      const body = { filter: { sendRequest: request.id } };
      const answer = await done(ask('POST', '/v1/messages/block', body));
      isHeld(answer.refused);
      return { deed, request, blocked: answer.done };
    }
    case 'pause':
      await done(ask('POST', `/v1/channel-accounts/${accountId}/pause`, {}));
      model.paused = true;
      return { deed, request, blocked: 0 };
    case 'untick': {
      const person = held.person ?? 0;
      await done(ask('PUT', `${personPath(person)}/choices`, choice(false)));
      model.boxes[person] = false;
      return { deed, request, blocked: 0 };
    }
    case 'postpone':
      return (await postpone(living, held)) ? { deed, request, blocked: 0 } : undefined;
    default:
      return deed satisfies never;
  }
}

/** One pass of the worker, held at the first content that the provider gets. */
async function passBeside(living: Living, deed: Deed): Promise<Done | undefined> {
  const { stage, model } = living;
  const { service, provider } = stage;
  const reached = provider.hold();
  const pass = service.work();
  try {
    const address = await Promise.race([reached, pass.then(() => null)]);
    if (address === null) return undefined;
    service.clock.advance(tickMs);
    model.now = service.clock.now().getTime();
    const held = model.messages.find((message) => message.address === address);
    assert.ok(held, `${address} is nobody's address`);
    see(stage, `beside ${deed}`);
    return await doBeside(living, held, deed);
  } finally {
    provider.release();
    await pass;
    service.clock.advance(tickMs);
    model.now = service.clock.now().getTime();
  }
}

/** A pass, and how messages look after it. */
interface Passed extends Pass {
  views: ReadonlyMap<string, View>;
}

/** Finds what became of a message among what may, and tells the model. @returns the move, if it made one. */
function follow({ views }: Passed, message: ModelMessage, allowed: readonly (Move | null)[]): Move | null {
  const { status, reason } = views.get(message.id);
  const fits = (one: Move | null) =>
    one === null ? status === message.status : one.to === status && (one.reason === undefined || one.reason === reason);
  const found = allowed.find(fits);
  if (found === undefined) {
    const expected = allowed.map((one) => (one === null ? 'to stay' : `→${one.to} ${one.reason ?? ''}`)).join(' or ');
    assert.fail(`${message.id} was ${message.status}, is ${status} ${reason}; expected ${expected || 'to be tried'}`);
  }
  if (found === null) return null;
  message.moves.push({ ...found, reason });
  Object.assign(message, { status, reason });
  return found;
}

/** What a pass made of a message that was not tried in it. */
function followRules({ model, stage }: Living, message: ModelMessage, pass: Passed): Move | null {
  const move = follow(pass, message, movesUntried(model, message, pass));
  if (move !== null) see(stage, `by itself →${move.to} ${move.reason}`);
  return move;
}

/** What a pass made of a message that was tried in it. */
function followTry(model: Model, message: ModelMessage, own: Try, pass: Passed): Move | null {
  const { moves, next } = movesTried(model, message, own.answer, pass.startedAt);
  const here = pass.beside?.request === message.request ? pass.beside.deed : null;
  const stopped: Move[] = [];
  if (moves.includes(null) && here === 'cancel') stopped.push({ from: 'V', to: 'B', reason: 'cancelled' });
  if (moves.includes(null) && here === 'blockRequest') stopped.push({ from: 'V', to: 'B', reason: 'blocked_by_user' });
  const move = follow(pass, message, [...moves, ...stopped]);
  if (move !== null) return move;
  const nextTryAt = Date.parse(pass.views.get(message.id).nextTryAt);
  const inTime = nextTryAt >= next[0] && nextTryAt <= next[1] + 1;
  assert.ok(
    inTime || here === 'postpone',
    `${message.id} is tried again at ${nextTryAt}, not from ${next.join(' to ')}`,
  );
  message.releaseAt = nextTryAt;
  return null;
}

/** New times that came beside the sending hold for what was not sent before: read from the messages themselves. */
function takeTimes(model: Model, { beside, views }: Passed): void {
  if (beside?.deed !== 'postpone') return;
  const instant = (text: string | null) => (text === null ? null : Date.parse(text));
  const { request } = beside;
  for (const message of messagesOf(model, request)) {
    const view = views.get(message.id);
    const sendAt = instant(view.sendAt);
    assert.ok(sendAt === message.sendAt || sendAt === request.sendAt, `${message.id} leaves at ${view.sendAt}`);
    Object.assign(message, { sendAt, notAfter: instant(view.notAfter) });
    if (view.nextTryAt !== null) message.releaseAt = Date.parse(view.nextTryAt);
  }
}

/** Tries by message; each of an address that a message has now. */
function triesOf({ model }: Living, tries: readonly Try[], may: ReadonlySet<ModelMessage>): Map<ModelMessage, Try> {
  const byMessage = new Map<ModelMessage, Try>();
  for (const one of tries) {
    const message = model.messages.find(({ address }) => address === one.address);
    assert.ok(message, `${one.address} is nobody's address, and was written to`);
    assert.ok(may.has(message), `${message.id} was tried, which its status, time, box or account forbids`);
    assert.ok(!byMessage.has(message), `${message.id} was tried twice at once`);
    if (one.identifier !== null) same(one.identifier, `${message.id}.${message.revision}`, 'Message-ID');
    byMessage.set(message, one);
    message.tries.push(one);
  }
  return byMessage;
}

/** Moves the clock, and lets the worker do all that is due; with a deed, a person does it beside. */
export async function work(living: Living, minutes: number, deed: Deed | null): Promise<Touched> {
  const { stage, model } = living;
  stage.service.clock.advance(minutes * minute);
  model.now = stage.service.clock.now().getTime();
  const startedAt = model.now;
  const pausedBefore = model.paused;
  const until = startedAt + (deed === null ? 0 : 2 * tickMs);
  const may = new Set(model.messages.filter((message) => mayBeTried(model, message, until)));
  const alive = model.messages.filter(({ status }) => status === 'E' || status === 'V');
  const beside = deed === null ? void (await stage.service.work()) : await passBeside(living, deed);
  const tries = triesOf(living, stage.provider.takeTries(), may);
  const faulted = [...tries.values()].some(({ answer }) => answer === 'relayDenied');
  model.paused ||= faulted;
  const held = pausedBefore ? 'before' : model.paused ? 'during' : null;
  const pass: Passed = { startedAt, held, beside, views: await readAll(living, '/v1/messages') };
  let blocked = 0;
  for (const message of alive) {
    const own = tries.get(message);
    const move = own === undefined ? followRules(living, message, pass) : followTry(model, message, own, pass);
    if (beside?.request === message.request && move?.to === 'B' && move.reason !== 'choice_off') blocked += 1;
  }
  if (beside !== undefined) same(blocked, beside.blocked, `blocked by ${beside.deed}, as its answer says`);
  takeTimes(model, pass);
  return { free: new Set(alive.map(({ id }) => id)), asked: new Set([...tries.keys()].map(({ id }) => id)) };
}
