/** What must hold after every command of a life, and at its end: all of it read through HTTP and at the provider. */
import assert from 'node:assert/strict';
import { receiverOf } from '../support/sending.ts';
import type { SinkMail } from '../support/smtp-sink.ts';
import { legalMoves, type ModelMessage, type Move, messagesOf, type Status } from './lifecycle-model.ts';
import { identifierOf, outcomeOf } from './lifecycle-provider.ts';
import { allEvents, type Living, listAll, same, see, type View } from './lifecycle-stage.ts';

const identifier = ({ id, revision }: ModelMessage): string => `${id}.${revision}`;

/** All messages, or all send requests, by id. */
export async function readAll(living: Living, path: '/v1/messages' | '/v1/send-requests'): Promise<Map<string, View>> {
  return new Map((await listAll(living, path)).map((view) => [view.id, view]));
}

/** The time from which a `V` may be tried, as far as it lies ahead. */
const ahead = (time: number, now: number) => Math.max(time, now);

function checkMessage({ model }: Living, message: ModelMessage, view: View): void {
  const what = `message ${message.id}`;
  same(view.status, message.status, `status of ${what}`);
  same(view.messageIdentifier, identifier(message), `identifier of ${what}`);
  same(view.to.address, message.address, `address of ${what}`);
  same(view.attemptCount, message.attempts, `tries of ${what}`);
  same(view.sentAt !== null, message.status === 'OK', `sending time of ${what}`);
  same(view.contentHash !== null, message.rendered, `content of ${what}`);
  const instant = (text: string | null) => (text === null ? null : Date.parse(text));
  same([instant(view.sendAt), instant(view.notAfter)], [message.sendAt, message.notAfter], `times of ${what}`);
  if (message.status !== 'V') {
    if (message.reason !== undefined) same(view.reason, message.reason, `reason of ${what}`);
    same(view.nextTryAt, null, `next try of ${what}`);
    const delivery = message.status === 'OK' ? 'sent' : message.reason === 'outcome_unknown' ? 'uncertain' : 'none';
    same(view.delivery, delivery, `delivery of ${what}`);
  } else if (view.delivery === 'waiting') {
    same(ahead(Date.parse(view.nextTryAt), model.now), ahead(message.releaseAt, model.now), `next try of ${what}`);
  } else {
    same(view.delivery, 'queued', `delivery of ${what}`);
    assert.ok(message.releaseAt <= model.now, `${what} is queued before its time`);
  }
}

/** The transitions of a message: each from where the one before led, each legal, the last one its status; and those expected. */
async function checkMoves(living: Living, message: ModelMessage): Promise<void> {
  const items = await listAll(living, `/v1/messages/${message.id}/transitions`);
  let status: Status | null = null;
  for (const { from, to, reason, at } of items) {
    same(from, status, `transition of ${message.id} from where it was`);
    if (status === null) assert.notEqual(to, 'OK', 'born OK');
    else assert.ok(legalMoves[status].includes(to), `${status}→${to} of ${message.id}`);
    if (from === 'KO' && to === 'KO') same(reason, 'not_sent', `KO→KO of ${message.id}`);
    assert.ok(Date.parse(at) <= living.model.now, 'a move of the future');
    status = to;
  }
  const expected = message.moves.map(({ from, to }) => `${from ?? '·'}→${to}`);
  same(
    items.map(({ from, to }) => `${from ?? '·'}→${to}`),
    expected,
    `transitions of ${message.id}`,
  );
  for (const [index, { reason }] of message.moves.entries()) {
    if (reason !== undefined) same(items[index].reason, reason, `reason of transition ${index} of ${message.id}`);
  }
  same(living.messages.get(message.id).status, status, 'the status is that of the last transition');
}

function checkCounts({ model, requests }: Living): void {
  same(requests.size, model.requests.length, 'as many requests as were made');
  for (const request of model.requests) {
    const view = requests.get(request.id);
    const expected = { created: 0, E: 0, V: 0, OK: 0, KO: 0, B: 0 };
    for (const { status } of messagesOf(model, request)) {
      expected.created += 1;
      expected[status] += 1;
    }
    same(view.counts, expected, `counts of request ${request.id}`);
    const { created, E, V, OK, KO, B } = view.counts;
    same(created, E + V + OK + KO + B, 'created is the sum');
    same(view.status, request.status, `status of request ${request.id}`);
  }
}

/** Messages that a command concerns. */
export interface Touched {
  /** Those that may be other than they were. */
  free: ReadonlySet<string>;
  /** Those whose transitions are read, beside those of messages whose status is another one. */
  asked: ReadonlySet<string>;
}

/** After a command: the service shows what the model says, and what was not touched is as it was. */
export async function checkAfter(living: Living, { free, asked }: Touched): Promise<void> {
  const before = living.messages;
  [living.messages, living.requests] = await Promise.all([
    readAll(living, '/v1/messages'),
    readAll(living, '/v1/send-requests'),
  ]);
  const { model, messages } = living;
  same([...messages.keys()].sort(), model.messages.map(({ id }) => id).sort(), 'the messages there are');
  for (const message of model.messages) {
    const { id } = message;
    const view = messages.get(id);
    checkMessage(living, message, view);
    if (!free.has(id)) same(view, before.get(id), `message ${id}, which nothing should have changed`);
  }
  const told = model.messages.filter(({ id }) => asked.has(id) || messages.get(id).status !== before.get(id)?.status);
  await Promise.all(told.map((message) => checkMoves(living, message)));
  checkCounts(living);
}

function checkArrivals(living: Living, message: ModelMessage, mails: readonly SinkMail[]): void {
  const { id, status, tries, moves } = message;
  const accepted = tries.filter(({ answer }) => answer === 'accept');
  const taken = tries.filter(({ answer }) => answer === 'accept' || answer === 'takeAndCut');
  const arrived = (list: { identifier: string | null; address: string }[]) =>
    list.map((one) => `${one.identifier} ${one.address}`).sort();
  const arrivals = mails.map((mail) => ({ identifier: identifierOf(mail.raw), address: receiverOf(mail) }));
  same(arrived(arrivals), arrived(taken), `what arrived of ${id} is what was taken`);
  if (!moves.some(({ to }) => to === 'V')) same(tries.length, 0, `${id} was never V`);
  if (status === 'B') same(accepted.length, 0, `${id} ended in B`);
  if (status === 'OK' && !message.toldSent) {
    same(accepted.length, 1, `${id} is OK: it was accepted once`);
    same(tries.at(-1)?.answer, 'accept', `${id} was not tried after it was accepted`);
  } else {
    same(accepted.length, 0, `${id} is ${status}: it was not accepted`);
  }
  const doubtful = new Set(
    tries.filter(({ answer }) => outcomeOf[answer] === 'uncertain').map((one) => one.identifier),
  );
  for (const { identifier: own } of accepted) {
    const copies = arrivals.filter((arrival) => arrival.identifier === own).length;
    if (!doubtful.has(own)) same(copies, 1, `${own} arrived once`);
  }
  if (living.model.onUncertain === 'resend') return;
  for (const own of doubtful) {
    const last = tries.findLast((one) => one.identifier === own);
    same(last && outcomeOf[last.answer], 'uncertain', `${own} was sent in doubt, and under hold never again`);
    const doubts = tries.filter((one) => one.identifier === own && outcomeOf[one.answer] === 'uncertain');
    same(doubts.length, 1, `${own} was in doubt once`);
  }
}

const eventTypes: Record<Status, string> = {
  E: 'message.created',
  V: 'message.validated',
  OK: 'message.sent',
  KO: 'message.failed',
  B: 'message.blocked',
};

function eventOf({ from, to }: Move): string {
  if (from === null) return 'message.created';
  if (from === 'KO' && to === 'KO') return 'message.resolved';
  return from === 'KO' && to === 'V' ? 'message.resent' : eventTypes[to];
}

const ofMoves = new Set([...Object.values(eventTypes), 'message.resent', 'message.resolved']);

async function checkEvents(living: Living): Promise<void> {
  const { items, last } = await allEvents(living);
  same(
    items.map(({ sequence }) => sequence),
    Array.from({ length: last }, (_, index) => index + 1),
    'events are numbered without gaps',
  );
  const moves = Map.groupBy(
    items.filter(({ type }) => ofMoves.has(type)),
    ({ resourceId }) => resourceId,
  );
  for (const message of living.model.messages) {
    same(
      (moves.get(message.id) ?? []).map(({ type, data }) => `${type} ${data.from ?? '·'}→${data.status}`),
      message.moves.map((one) => `${eventOf(one)} ${one.from ?? '·'}→${one.to}`),
      `each transition of ${message.id} has its event`,
    );
    moves.delete(message.id);
  }
  same(moves.size, 0, 'no event of a move that was not');
}

async function checkAttempts(living: Living, { id, tries }: ModelMessage): Promise<void> {
  const attempts = (await listAll(living, `/v1/messages/${id}/attempts`)).map(({ outcome }) => outcome);
  const begun = attempts.filter((outcome) => outcome !== 'not_begun');
  const expected = tries.map(({ answer }) => outcomeOf[answer]);
  same(begun, expected, `attempts of ${id}`);
}

/** At the end of a life, when nothing waits any more. */
export async function checkEnd(living: Living): Promise<void> {
  const { stage, model } = living;
  await Promise.all(model.messages.flatMap((message) => [checkMoves(living, message), checkAttempts(living, message)]));
  const mails = Map.groupBy(stage.service.sink.mails, ({ raw }) => identifierOf(raw).split('.')[0] ?? '');
  for (const message of model.messages) {
    checkArrivals(living, message, mails.get(message.id) ?? []);
    mails.delete(message.id);
    for (const { from, to } of message.moves) see(stage, `${from ?? '·'}→${to}`);
    for (const { answer } of message.tries) see(stage, `answered ${answer}`);
  }
  same(mails.size, 0, 'no mail of a message that is not');
  await checkEvents(living);
}
