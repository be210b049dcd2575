/** The commands of a life: each is done over HTTP and in the model, and the answer is compared with the model's. */
import { done } from '../support/broker.ts';
import type { Answer } from '../support/service.ts';
import type { Touched } from './lifecycle-checks.ts';
import type { BulkAction, Command, CommandOf, Creation } from './lifecycle-commands.ts';
import {
  act,
  birthOf,
  cancel,
  correct,
  giveBirth,
  goodTimes,
  type ModelMessage,
  type ModelRequest,
  messagesOf,
  reschedule,
  resolve,
  takes,
} from './lifecycle-model.ts';
import { pick, pickRequest, promising } from './lifecycle-picks.ts';
import { work } from './lifecycle-sending.ts';
import { choice, type Living, personPath, same, see } from './lifecycle-stage.ts';

const minute = 60_000;
const nothing: Touched = { free: new Set(), asked: new Set() };
const stranger = '019c0000-0000-7000-8000-000000000000';

/** The status of each refusal. */
const refusals: Record<string, number> = {
  invalid_body: 400,
  unprocessable: 422,
  rows_refused: 422,
};

const touchedBy = (messages: readonly ModelMessage[]): Touched => {
  const ids = new Set(messages.map(({ id }) => id));
  return { free: ids, asked: ids };
};

const both = (one: Touched, other: Touched): Touched => ({
  free: one.free.union(other.free),
  asked: one.asked.union(other.asked),
});

/** What a message was asked for and refused: it is looked at, and must be as it was. */
const refusedBy = ({ id }: ModelMessage): Touched => ({ free: new Set(), asked: new Set([id]) });

function checkAnswer({ stage }: Living, what: string, answer: Answer, refusal: string | null, success = 200): boolean {
  const expected = refusal === null ? [success, undefined] : [refusals[refusal] ?? 409, refusal];
  same([answer.status, answer.body.code], expected, what);
  see(stage, refusal === null ? what : `${what} ${refusal}`);
  return refusal === null;
}

const instant = (time: number | null | undefined) => (time == null ? time : new Date(time).toISOString());

/** The messages of a request that was accepted: born as the model says, and counted. */
function accept({ model }: Living, request: ModelRequest, { body }: Answer): Touched {
  const born: { index: number; id: string; status: string; reason: string | null }[] = body.messages;
  born.sort((left, right) => left.index - right.index);
  const births = request.rows.map((row) => birthOf(model, row, request.validation));
  same(
    born.map(({ status, reason }) => ({ status, reason })),
    births,
    'the messages are born as they should',
  );
  request.status = 'accepted';
  giveBirth(
    model,
    request,
    born.map(({ id }) => id),
  );
  return touchedBy(messagesOf(model, request));
}

async function create(living: Living, command: Creation): Promise<Touched> {
  const { model, stage, ask } = living;
  const { rows, validation, draft, allOrNothing, priority } = command;
  const at = (minutes: number | null) => (minutes === null ? null : model.now + minutes * minute);
  const [sendAt, notAfter] = [at(command.sendAt), at(command.notAfter)];
  const addresses = rows.map(({ goodAddress }) => (goodAddress ? living.unused() : `nowhere ${living.unused()}`));
  for (const [index, { answers }] of rows.entries()) stage.provider.expect(addresses[index] ?? '', answers);
  const recipients = rows.map(({ person, goodName }, index) => ({
    to: { address: addresses[index] },
    data: goodName ? { name: 'Anna' } : {},
    ...(person === null ? {} : { recipient: `external:client:P${person}` }),
  }));
  const times = {
    ...(sendAt === null ? {} : { sendAt: instant(sendAt) }),
    ...(notAfter === null ? {} : { notAfter: instant(notAfter) }),
  };
  const mode = allOrNothing ? 'all-or-nothing' : 'partial';
  const body = { template: 'notice', recipients, validation, priority, mode, confirm: !draft, ...times };
  const answer = await ask('POST', '/v1/send-requests', body);
  const births = rows.map((row) => birthOf(model, row, validation).status);
  const faulty = allOrNothing && births.includes('KO') ? 'rows_refused' : null;
  const refusal = goodTimes(model, sendAt, notAfter) ? faulty : 'unprocessable';
  if (!checkAnswer(living, draft ? 'draft' : 'create', answer, refusal, 201)) return nothing;
  const { id } = answer.body;
  const request: ModelRequest = {
    id,
    status: 'draft',
    rows,
    addresses,
    validation,
    sendAt,
    notAfter,
    cancelledAt: null,
  };
  model.requests.push(request);
  return draft ? nothing : accept(living, request, answer);
}

async function confirm(living: Living, command: CommandOf<'confirm'>): Promise<Touched> {
  const { model, ask } = living;
  const request = pickRequest(living.model, command.request, 'draft');
  if (request === undefined) return nothing;
  const refusal =
    request.status !== 'draft'
      ? 'not_a_draft'
      : goodTimes(model, request.sendAt, request.notAfter)
        ? null
        : 'unprocessable';
  const answer = await ask('POST', `/v1/send-requests/${request.id}/confirm`, {});
  return checkAnswer(living, 'confirm', answer, refusal) ? accept(living, request, answer) : nothing;
}

async function actOnOne(living: Living, { action, message: number, hash }: CommandOf<'act'>): Promise<Touched> {
  const message = pick(living.model.messages, number, (one) => promising(living.model, action, one));
  if (message === undefined) return nothing;
  const { contentHash } = living.messages.get(message.id);
  const seen = hash === 'wrong' ? '0'.repeat(64) : hash === 'right' ? contentHash : null;
  const answer = await living.ask('POST', `/v1/messages/${message.id}/${action}`, {
    ...(seen === null ? {} : { contentHash: seen }),
  });
  const { length } = message.moves;
  const refusal = act(living.model, message, action, hash === 'wrong');
  checkAnswer(living, action, answer, refusal);
  const status = refusal === null ? answer.body.status : answer.body.currentStatus;
  same(status, message.status, `${action} answers the status`);
  // A rule that refuses what a person validates blocks it.
  return refusal === null || message.moves.length > length ? touchedBy([message]) : refusedBy(message);
}

async function actOnMany(
  living: Living,
  action: BulkAction,
  matched: readonly ModelMessage[],
  selection: { ids: string[] } | { filter: object },
): Promise<Touched> {
  const answer = await living.ask('POST', `/v1/messages/${action}`, selection);
  const refused = new Map<string, string>();
  for (const message of matched) {
    const refusal = act(living.model, message, action);
    if (refusal !== null) refused.set(message.id, `${refusal} ${message.status}`);
    see(living.stage, `many ${action}${refusal === null ? '' : ` ${refusal}`}`);
  }
  const strange = 'ids' in selection && selection.ids.includes(stranger);
  if (strange) refused.set(stranger, 'not_found undefined');
  same(answer.status, 200, JSON.stringify(answer.body));
  const told = answer.body.refused.map(({ id, code, status }: Record<string, string>) => [id, `${code} ${status}`]);
  same(new Map(told), refused, `refused by ${action} ${JSON.stringify(selection)}`);
  same(answer.body.matched, matched.length + Number(strange), 'matched');
  same(answer.body.done, answer.body.matched - refused.size, 'done');
  return touchedBy(matched);
}

function bulkIds(living: Living, command: CommandOf<'bulkIds'>): Promise<Touched> {
  const { action } = command;
  const picked = command.messages.map((number) =>
    pick(living.model.messages, number, (one) => promising(living.model, action, one)),
  );
  const matched = [...new Set(picked.filter((message) => message !== undefined))];
  const ids = [...matched.map(({ id }) => id), ...(command.stranger || matched.length === 0 ? [stranger] : [])];
  return actOnMany(living, action, matched, { ids });
}

async function bulkFilter(living: Living, { action, by, message: number }: CommandOf<'bulkFilter'>): Promise<Touched> {
  const { messages } = living.model;
  const like = pick(messages, number, (one) => promising(living.model, action, one));
  if (like === undefined) return nothing;
  const request = by === 'request' || by === 'both' ? { sendRequest: like.request.id } : {};
  const status = by === 'status' || by === 'both' ? { status: [like.status] } : {};
  const address = by === 'address' ? { address: like.address } : {};
  const matched = messages.filter(
    (one) =>
      takes(action, one) &&
      // A filter that names no status does not mean what a person has blocked.
      ('status' in status || one.status !== 'B') &&
      (!('sendRequest' in request) || one.request === like.request) &&
      (!('status' in status) || one.status === like.status) &&
      (!('address' in address) || one.address === like.address),
  );
  return actOnMany(living, action, matched, { filter: { ...request, ...status, ...address } });
}

async function correctOne(living: Living, command: CommandOf<'correct'>): Promise<Touched> {
  const { model, stage, ask } = living;
  const { change, answers } = command;
  const message = pick(model.messages, command.message, ({ status }) => status !== 'V' && status !== 'OK');
  if (message === undefined) return nothing;
  const address = living.unused();
  stage.provider.expect(address, answers);
  const to =
    change === 'badTo'
      ? { to: { address: 'nowhere' } }
      : change === 'to' || change === 'both'
        ? { to: { address } }
        : {};
  const data = change === 'data' || change === 'both' ? { data: { name: 'Berthe' } } : {};
  const subject = change === 'subject' ? { subject: 'Corrected' } : {};
  const remark = change === 'remark' ? { remark: 'Vu' } : {};
  const body = { ...to, ...data, ...subject, ...remark };
  const answer = await ask('PATCH', `/v1/messages/${message.id}`, body, { 'if-match': '*' });
  const refusal = correct(model, message, change, address);
  return checkAnswer(living, 'correct', answer, refusal) ? touchedBy([message]) : refusedBy(message);
}

async function resolveOne(living: Living, { message: number, outcome }: CommandOf<'resolve'>): Promise<Touched> {
  const message = pick(living.model.messages, number, ({ reason }) => reason === 'outcome_unknown');
  if (message === undefined) return nothing;
  const answer = await living.ask('POST', `/v1/messages/${message.id}/resolve`, { outcome });
  const told = checkAnswer(living, 'resolve', answer, resolve(living.model, message, outcome));
  return told ? touchedBy([message]) : refusedBy(message);
}

async function cancelAll(living: Living, requests: readonly ModelRequest[]): Promise<Touched> {
  let touched = nothing;
  for (const request of requests) {
    const answer = await living.ask('POST', `/v1/send-requests/${request.id}/cancel`);
    checkAnswer(living, 'cancel', answer, null);
    const stopped = cancel(living.model, request);
    same(answer.body, { id: request.id, blocked: stopped.length, refused: [] }, 'cancel');
    touched = both(touched, touchedBy(stopped));
  }
  return touched;
}

async function rescheduleOne(living: Living, command: CommandOf<'reschedule'>): Promise<Touched> {
  const { model, ask } = living;
  const request = pickRequest(living.model, command.request, 'accepted');
  if (request === undefined) return nothing;
  const at = (minutes: number | null) => (minutes === null ? null : model.now + minutes * minute);
  const change = {
    ...(command.sendAt === undefined ? {} : { sendAt: at(command.sendAt) }),
    ...(command.notAfter === undefined ? {} : { notAfter: at(command.notAfter) }),
  };
  const body = Object.fromEntries(Object.entries(change).map(([name, time]) => [name, instant(time)]));
  const answer = await ask('PATCH', `/v1/send-requests/${request.id}`, body, { 'if-match': '*' });
  const moved = messagesOf(model, request).filter(({ status }) => status === 'E' || status === 'V');
  return checkAnswer(living, 'reschedule', answer, reschedule(model, request, change)) ? touchedBy(moved) : nothing;
}

/** Does one command. @returns the messages it concerned. */
export async function carryOut(living: Living, command: Command): Promise<Touched> {
  const { model, ask, accountId } = living;
  switch (command.kind) {
    case 'create':
      return create(living, command);
    case 'confirm':
      return confirm(living, command);
    case 'act':
      return actOnOne(living, command);
    case 'bulkIds':
      return bulkIds(living, command);
    case 'bulkFilter':
      return bulkFilter(living, command);
    case 'correct':
      return correctOne(living, command);
    case 'resolve':
      return resolveOne(living, command);
    case 'cancel':
      return cancelAll(
        living,
        [pickRequest(living.model, command.request, 'accepted')].flatMap((one) => one ?? []),
      );
    case 'cancelAll':
      return cancelAll(living, model.requests);
    case 'reschedule':
      return rescheduleOne(living, command);
    case 'account':
      await done(
        ask('POST', `/v1/channel-accounts/${accountId}/${command.to}`, command.to === 'pause' ? {} : undefined),
      );
      model.paused = command.to === 'pause';
      return nothing;
    case 'choose':
      await done(ask('PUT', `${personPath(command.person)}/choices`, choice(command.accepted)));
      model.boxes[command.person] = command.accepted;
      return nothing;
    case 'work':
      return work(living, command.minutes, null);
    case 'meddle':
      return both(await create(living, command.first), await work(living, command.minutes, command.deed));
    default:
      return command satisfies never;
  }
}
