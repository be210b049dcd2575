import type { FastifyReply, FastifyRequest } from 'fastify';
import { invalidField } from '../../errors.ts';
import { closed, reference, Uuid } from '../../fields.ts';
import { type BulkAction as ActionName, actOnMessages, bulkActions, refusalError } from '../../messages/act.ts';
import type { MessageFilter } from '../../messages/filter.ts';
import { resolveMessage } from '../../messages/resolve.ts';
import { Action, ActionResult, BulkAction, Resolution } from '../../messages/schema.ts';
import { sourcesOf } from '../../messages/status.ts';
import { getMessage, matchingIds } from '../../messages/store.ts';
import type { ActionResult as Done } from '../../messages/to-valid.ts';
import { startFilterAction } from '../../operations/filter-action.ts';
import type { Runtime } from '../../runtime.ts';
import { actorOf, type Caller } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { shown } from '../precondition.ts';
import { languageOf } from '../problem.ts';
import type { App } from '../validation.ts';
import { presentDetails } from './messages.ts';

const params = closed({ id: Uuid });
/** Filters that match more are worked through by a worker, and answered with 202. */
const inlineLimit = 1_000;

const summaries: Record<ActionName, string> = {
  validate: 'Validate: E or B becomes V',
  block: 'Block: E or V becomes B',
  resend: 'Send again: KO becomes V',
};

/** Acts on one message. An `E` that a rule stopped while it was being validated stays the `B` it has become. */
async function actOnOne(
  runtime: Runtime,
  request: FastifyRequest,
  reply: FastifyReply,
  action: ActionName,
  target: { caller: Caller; id: string; contentHash: string | null; remark: string | null },
) {
  const { caller, id } = target;
  await getMessage(runtime.db, caller, id);
  return runIdempotently<{ id: string }>(runtime, request, reply, request.body, {
    async commit(tx) {
      const result = await actOnMessages(runtime, tx, caller, actorOf(caller), action, [id], target);
      const [refused] = result.refused;
      return refused === undefined ? { status: 200, answer: { id } } : { refusal: refusalError(refused) };
    },
    present: async () => {
      const row = await getMessage(runtime.db, caller, id);
      return shown(reply, row, () => presentDetails(runtime, row, languageOf(request)));
    },
  });
}

function singleRoutes(app: App, runtime: Runtime): void {
  for (const action of bulkActions) {
    app.post(
      `/v1/messages/:id/${action}`,
      operation({
        id: `${action}Message`,
        tag: 'sending',
        summary: summaries[action],
        access: ['messages:validate'],
        params,
        body: Action,
        idempotency: 'accepted',
        answers: { 200: reference('MessageDetails') },
        errors: ['illegal_move', 'being_sent', 'content_changed', 'blocked_by_rule', 'cannot_be_sent', 'erased'],
      }),
      (request, reply) =>
        actOnOne(runtime, request, reply, action, {
          caller: callerOf(request),
          id: request.params.id,
          contentHash: request.body.contentHash ?? null,
          remark: request.body.reason ?? null,
        }),
    );
  }

  app.post(
    '/v1/messages/:id/resolve',
    operation({
      id: 'resolveMessage',
      tag: 'sending',
      summary: 'Tell what became of a message whose outcome is unknown',
      description:
        'Only in `KO` with the reason `outcome_unknown`: `sent` makes it `OK`, `notSent` lets it be sent again.',
      access: ['messages:validate'],
      params,
      body: Resolution,
      idempotency: 'accepted',
      answers: { 200: reference('MessageDetails') },
      errors: ['illegal_move', 'erased'],
    }),
    (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const { outcome, reason = null } = request.body;
      return runIdempotently<{ id: string }>(runtime, request, reply, request.body, {
        async commit(tx) {
          await resolveMessage(runtime, tx, caller, actorOf(caller), id, { outcome, remark: reason });
          return { status: 200, answer: { id } };
        },
        async present() {
          const row = await getMessage(runtime.db, caller, id);
          return shown(reply, row, () => presentDetails(runtime, row, languageOf(request)));
        },
      });
    },
  );
}

interface BulkBody {
  ids?: string[];
  filter?: MessageFilter;
  reason?: string;
}

const answerOf = (result: Done) => ({
  matched: result.done.length + result.refused.length,
  done: result.done.length,
  refused: result.refused,
});

/** Acts on many: at once up to 1,000 messages, as an operation beyond. */
async function actOnMany(runtime: Runtime, request: FastifyRequest, reply: FastifyReply, action: ActionName) {
  const caller = callerOf(request);
  const body = request.body as BulkBody;
  const remark = body.reason ?? null;
  const { ids, filter } = body;
  if ((ids === undefined) === (filter === undefined)) {
    throw invalidField('/ids', 'selection_choice', 'give exactly one of ids, filter');
  }
  return runIdempotently<object>(runtime, request, reply, body, {
    async commit(tx) {
      const found =
        ids ??
        (await matchingIds(tx, caller, filter ?? {}, {
          sources: sourcesOf(action, filter?.status),
          after: null,
          limit: inlineLimit + 1,
        }));
      if (filter !== undefined && found.length > inlineLimit) {
        const started = await startFilterAction(runtime, tx, caller, { action, filter, remark });
        return { status: 202, answer: { operation: started.id, status: started.status } };
      }
      const options = { remark, contentHash: null };
      const result = await actOnMessages(runtime, tx, caller, actorOf(caller), action, found, options);
      return { status: 200, answer: answerOf(result) };
    },
    location: (answer) => ('operation' in answer ? `/v1/operations/${answer.operation}` : null),
  });
}

function bulkRoutes(app: App, runtime: Runtime): void {
  for (const action of bulkActions) {
    app.post(
      `/v1/messages/${action}`,
      operation({
        id: `${action}Messages`,
        tag: 'sending',
        summary: `${summaries[action]}, many at once`,
        description:
          'By `ids` or by `filter`; a filter takes only messages in the statuses that the action acts on. One without `status` validates what waits in `E`: blocked messages are validated again only where `B` is named. Each message is done or refused with a code. A filter that matches more than 1,000 becomes an operation (202).',
        access: ['messages:validate'],
        body: BulkAction,
        idempotency: 'accepted',
        answers: { 200: reference('ActionResult'), 202: reference('OperationStarted') },
        errors: ['unprocessable'],
      }),
      (request, reply) => actOnMany(runtime, request, reply, action),
    );
  }
}

/** Messages: validate, block, resend, resolve. */
export function messageActionRoutes(app: App, runtime: Runtime): void {
  app.addSchema(ActionResult);
  bulkRoutes(app, runtime);
  singleRoutes(app, runtime);
}
