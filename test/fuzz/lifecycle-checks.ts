/** What must hold after every command of a life, and at its end: all of it read through HTTP and at the provider. */
import assert from 'node:assert/strict';
import { type SinkMail } from '../support/smtp-sink.ts';
import { receiverOf } from '../support/sending.ts';
import { legalMoves, type ModelMessage, messagesOf, type Move, type Status } from './lifecycle-model.ts';
import { identifierOf, outcomeOf } from './lifecycle-provider.ts';
import { allEvents, type Living, listAll, see, type View } from './lifecycle-stage.ts';

const identifier = ({ id, revision }: ModelMessage): string => `${id}.${revision}`;

/** Reads messages and requests anew. */
export async function look(living: Living): Promise<void> {
  const [messages, requests] = await Promise.all([listAll(living, '/v1/messages'), listAll(living, '/v1/send-requests')]);
  living.messages = new Map(messages.map((view) => [view.id, view]));
  living.requests = new Map(requests.map((view) => [view.id, view]));
}

/** The time from which a `V` may be tried, as far as it lies ahead. */
const ahead = (time: number, now: number) => Math.max(time, now);

function checkMessage({ model }: Living, message: ModelMessage, view: View): void {
  const what = `message ${message.id}`;
  assert.equal(view.status, message.status, `status of ${what}`);
  assert.equal(view.messageIdentifier, identifier(message), `identifier of ${what}`);
  assert.equal(view.to.address, message.address, `address of ${what}`);
  assert.equal(view.attemptCount, message.attempts, `tries of ${what}`);
  assert.equal(view.sentAt !== null, message.status === 'OK', `sending time of ${what}`);
  assert.equal(view.contentHash !== null, message.rendered, `content of ${what}`);
  const instant = (text: string | null) => (text === null ? null : Date.parse(text));
  assert.deepEqual([instant(view.sendAt), instant(view.notAfter)], [message.sendAt, message.notAfter], `times of ${what}`);
  if (message.status !== 'V') {
    if (message.reason !== undefined) assert.equal(view.reason, message.reason, `reason of ${what}`);
    assert.equal(view.nextTryAt, null, `next try of ${what}`);
    const delivery = message.status === 'OK' ? 'sent' : message.reason === 'outcome_unknown' ? 'uncertain' : 'none';
    assert.equal(view.delivery, delivery, `delivery of ${what}`);
  } else if (view.delivery === 'waiting') {
    assert.equal(ahead(Date.parse(view.nextTryAt), model.now), ahead(message.releaseAt, model.now), `next try of ${what}`);
  } else {
    assert.equal(view.delivery, 'queued', `delivery of ${what}`);
    assert.ok(message.releaseAt <= model.now, `${what} is queued before its time`);
  }
}

/** The transitions of a message: each from where the one before led, each legal, the last one its status; and those expected. */
async function checkMoves(living: Living, message: ModelMessage): Promise<void> {
  const items = await listAll(living, `/v1/messages/${message.id}/transitions`);
  let status: Status | null = null;
  for (const { from, to, reason, at } of items) {
    assert.equal(from, status, `transition of ${message.id} from where it was`);
    if (status === null) assert.notEqual(to, 'OK', 'born OK');
    else assert.ok(legalMoves[status].includes(to), `${status}→${to} of ${message.id}`);
    if (from === 'KO' && to === 'KO') assert.equal(reason, 'not_sent', `KO→KO of ${message.id}`);
    assert.ok(Date.parse(at) <= living.model.now, 'a move of the future');
    status = to;
  }
  const expected = message.moves.map(({ from, to }) => `${from ?? '·'}→${to}`);
  assert.deepEqual(items.map(({ from, to }) => `${from ?? '·'}→${to}`), expected, `transitions of ${message.id}`);
  for (const [index, { reason }] of message.moves.entries()) {
    if (reason !== undefined) assert.equal(items[index].reason, reason, `reason of transition ${index} of ${message.id}`);
  }
  assert.equal(living.messages.get(message.id).status, status, 'the status is that of the last transition');
}

function checkCounts({ model, requests }: Living): void {
  assert.equal(requests.size, model.requests.length, 'as many requests as were made');
  for (const request of model.requests) {
    const view = requests.get(request.id);
    const expected = { created: 0, E: 0, V: 0, OK: 0, KO: 0, B: 0 };
    for (const { status } of messagesOf(model, request)) {
      expected.created += 1;
      expected[status] += 1;
    }
    assert.deepEqual(view.counts, expected, `counts of request ${request.id}`);
    const { created, E, V, OK, KO, B } = view.counts;
    assert.equal(created, E + V + OK + KO + B);
    assert.equal(view.status, request.status, `status of request ${request.id}`);
  }
}

/**
 * After a command: the service shows what the model says, and what was not touched is as it was.
 * @param touched messages that the command may have changed, or that it was refused for.
 * @param changed whether those may be other than they were.
 */
export async function checkAfter(living: Living, touched: ReadonlySet<string>, changed: boolean): Promise<void> {
  const before = living.messages;
  await look(living);
  const { model, messages } = living;
  assert.deepEqual([...messages.keys()].sort(), model.messages.map(({ id }) => id).sort(), 'the messages there are');
  for (const message of model.messages) {
    const view = messages.get(message.id);
    checkMessage(living, message, view);
    const free = changed && touched.has(message.id);
    if (!free) assert.deepEqual(view, before.get(message.id), `message ${message.id}, which nothing should have changed`);
    const moved = view.status !== before.get(message.id)?.status;
    if (touched.has(message.id) || moved) await checkMoves(living, message);
  }
  checkCounts(living);
}

function checkArrivals(living: Living, message: ModelMessage, mails: readonly SinkMail[]): void {
  const { id, status, tries, moves } = message;
  const accepted = tries.filter(({ answer }) => answer === 'accept');
  const taken = tries.filter(({ answer }) => answer === 'accept' || answer === 'takeAndCut');
  const arrived = (list: { identifier: string | null; address: string }[]) =>
    list.map((one) => `${one.identifier} ${one.address}`).sort();
  const arrivals = mails.map((mail) => ({ identifier: identifierOf(mail.raw), address: receiverOf(mail) }));
  assert.deepEqual(arrived(arrivals), arrived(taken), `what arrived of ${id} is what was taken`);
  if (!moves.some(({ to }) => to === 'V')) assert.equal(tries.length, 0, `${id} was never V`);
  if (status === 'B') assert.equal(accepted.length, 0, `${id} ended in B`);
  if (status === 'OK' && !message.toldSent) {
    assert.equal(accepted.length, 1, `${id} is OK: it was accepted once`);
    assert.equal(tries.at(-1)?.answer, 'accept', `${id} was not tried after it was accepted`);
  } else {
    assert.equal(accepted.length, 0, `${id} is ${status}: it was not accepted`);
  }
  const doubtful = new Set(tries.filter(({ answer }) => outcomeOf[answer] === 'uncertain').map((one) => one.identifier));
  for (const { identifier: own } of accepted) {
    const copies = arrivals.filter((arrival) => arrival.identifier === own).length;
    if (!doubtful.has(own)) assert.equal(copies, 1, `${own} arrived once`);
  }
  if (living.model.onUncertain === 'resend') return;
  for (const own of doubtful) {
    const content = tries.map((one) => one.identifier);
    assert.equal(content.lastIndexOf(own), content.indexOf(own), `${own} was sent in doubt, and under hold never again`);
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
  assert.deepEqual(
    items.map(({ sequence }) => sequence),
    Array.from({ length: last }, (_, index) => index + 1),
    'events are numbered without gaps',
  );
  const moves = Map.groupBy(
    items.filter(({ type }) => ofMoves.has(type)),
    ({ resourceId }) => resourceId,
  );
  for (const message of living.model.messages) {
    assert.deepEqual(
      (moves.get(message.id) ?? []).map(({ type, data }) => `${type} ${data.from ?? '·'}→${data.status}`),
      message.moves.map((one) => `${eventOf(one)} ${one.from ?? '·'}→${one.to}`),
      `each transition of ${message.id} has its event`,
    );
    moves.delete(message.id);
  }
  assert.equal(moves.size, 0, 'no event of a move that was not');
}

/** At the end of a life, when nothing waits any more. */
export async function checkEnd(living: Living): Promise<void> {
  const { stage, model } = living;
  const mails = Map.groupBy(stage.service.sink.mails, ({ raw }) => identifierOf(raw).split('.')[0] ?? '');
  for (const message of model.messages) {
    await checkMoves(living, message);
    checkArrivals(living, message, mails.get(message.id) ?? []);
    mails.delete(message.id);
    const attempts = (await listAll(living, `/v1/messages/${message.id}/attempts`)).map(({ outcome }) => outcome);
    const begun = attempts.filter((outcome) => outcome !== 'not_begun');
    assert.deepEqual(begun, message.tries.map(({ answer }) => outcomeOf[answer]), `attempts of ${message.id}`);
    for (const { from, to } of message.moves) see(stage, `${from ?? '·'}→${to}`);
    for (const { answer } of message.tries) see(stage, `answered ${answer}`);
  }
  assert.equal(mails.size, 0, 'no mail of a message that is not');
  await checkEvents(living);
}
