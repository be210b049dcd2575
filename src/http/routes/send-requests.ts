import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { errorCodes } from '../../errors.ts';
import { closed, line, reference, Uuid, words } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import {
  acceptSendRequest,
  type PreparedRequest,
  prepareSendRequest,
  refusalOf,
  storeDraft,
  trySendRequest,
} from '../../send-requests/accept.ts';
import { cancelSendRequest } from '../../send-requests/cancel.ts';
import { confirmSendRequest, prepareConfirmation } from '../../send-requests/confirm.ts';
import type { SendRequestOutcome } from '../../send-requests/outcome.ts';
import { rescheduleSendRequest } from '../../send-requests/reschedule.ts';
import {
  Cancelled,
  Confirmation,
  NewSendRequest,
  SendRequest,
  SendRequestChange,
  SendRequestResult,
} from '../../send-requests/schema.ts';
import {
  type Counts,
  countMessages,
  getSendRequest,
  listSendRequests,
  type SendRequestRow,
} from '../../send-requests/store.ts';
import { type Caller, demand } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { type EffectTx, type IdempotentWork, runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import { expectedRevision, shown } from '../precondition.ts';
import { problemOf } from '../problem.ts';
import type { App } from '../validation.ts';

const params = closed({ id: Uuid });

function presentSendRequest(row: SendRequestRow, counts: Counts | undefined) {
  return {
    id: row.id,
    status: row.status,
    test: row.test,
    templates: row.templates,
    documentType: row.documentType,
    mode: row.mode,
    validation: row.validation,
    sendAt: row.sendAt,
    notAfter: row.notAfter,
    editedAt: row.editedAt,
    priority: row.priority,
    highPriority: row.highPriority,
    origin: row.origin,
    context: row.contextRef === null ? null : { type: row.contextType, ref: row.contextRef },
    requestedBy: {
      user: row.requestedByUser,
      osUser: row.requestedByOsUser,
      workstation: row.requestedByWorkstation,
    },
    recordEvent: row.recordEvent,
    recipientCount: row.recipientCount,
    counts: counts ?? { created: 0, E: 0, V: 0, OK: 0, KO: 0, B: 0 },
    confirmedAt: row.confirmedAt,
    cancelledAt: row.cancelledAt,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}

async function presentOne(runtime: Runtime, row: SendRequestRow) {
  const counts = await countMessages(runtime.db, row.tenantId, [row.id]);
  return presentSendRequest(row, counts.get(row.id));
}

/** One message needs `send:single`, more need `send:bulk`. */
function demandSend(caller: Caller, messages: number): void {
  if (messages > 1) demand(caller, 'send:bulk');
  else if (!caller.scopes.includes('send:bulk')) demand(caller, 'send:single');
}

type Answer = SendRequestOutcome | ReturnType<typeof problemOf>;

/**
 * Intake in two halves, with its refusal: that of an all-or-nothing request is an answer like another, kept so that
 * a repeat gets it again.
 */
function intakeWork(
  request: FastifyRequest,
  intake: {
    prepare(): Promise<PreparedRequest>;
    commit(tx: EffectTx, prepared: PreparedRequest): Promise<{ status: number; answer: Answer }>;
  },
): IdempotentWork<Answer> {
  let prepared: PreparedRequest | null = null;
  return {
    async prepare() {
      prepared = await intake.prepare();
    },
    async commit(tx) {
      if (prepared === null) throw new Error('nothing was prepared');
      const refusal = refusalOf(prepared);
      return refusal === null
        ? intake.commit(tx, prepared)
        : { status: errorCodes[refusal.code].status, answer: problemOf(request, refusal) };
    },
  };
}

function createRoute(app: App, runtime: Runtime): void {
  app.post(
    '/v1/send-requests',
    operation({
      id: 'createSendRequest',
      tag: 'sending',
      summary: 'Ask to send',
      description:
        'Makes one message per recipient and template, in one transaction. `send:single` is enough for one message. With `dryRun` (200) or `confirm: false` (a draft) no message is made.',
      access: ['send:single', 'send:bulk'],
      body: NewSendRequest,
      idempotency: 'required',
      answers: { 200: reference('SendRequestResult'), 201: reference('SendRequestResult') },
      errors: ['unprocessable', 'rows_refused', 'validation_not_allowed', 'extraction_failed', 'source_unavailable'],
    }),
    (request, reply) => {
      const caller = callerOf(request);
      const { body } = request;
      demandSend(caller, body.recipients.length * (body.templates?.length ?? 1));
      // Here, not behind: whoever confirms a draft of it asks for nothing more.
      if (body.extraction !== undefined) demand(caller, 'extractions:read');
      const work = intakeWork(request, {
        prepare: () => prepareSendRequest(runtime, caller, body),
        async commit(tx, prepared) {
          if (body.dryRun) return { status: 200, answer: await trySendRequest(runtime, tx, prepared) };
          if (body.confirm === false) return { status: 201, answer: await storeDraft(runtime, tx, prepared) };
          return { status: 201, answer: await acceptSendRequest(runtime, tx, prepared) };
        },
      });
      return runIdempotently(runtime, request, reply, body, {
        ...work,
        required: true,
        location: (answer) => ('id' in answer && answer.id !== null ? `/v1/send-requests/${answer.id}` : null),
      });
    },
  );
}

function readRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/send-requests',
    operation({
      id: 'listSendRequests',
      tag: 'sending',
      summary: 'List send requests',
      access: ['send-requests:read'],
      query: closed({
        ...pageQuery,
        status: Type.Optional(words(['draft', 'accepted', 'cancelled'], { description: 'Those in this state.' })),
        origin: Type.Optional(line(50, { description: 'Those of this origin.' })),
        context: Type.Optional(line(200, { description: 'The `ref` of the context, e.g. a file number.' })),
      }),
      answers: { 200: pageOf('SendRequest') },
      errors: ['invalid_cursor'],
    }),
    async (request) => {
      const { tenantId, testOnly } = callerOf(request);
      const { status, origin, context } = request.query;
      const page = readPage(runtime.secrets, 'send-requests', request.query);
      const filter = {
        ...(status === undefined ? {} : { status }),
        ...(origin === undefined ? {} : { origin }),
        ...(context === undefined ? {} : { contextRef: context }),
      };
      const rows = await listSendRequests(runtime.db, { tenantId, testOnly }, page, filter);
      const counts = await countMessages(
        runtime.db,
        tenantId,
        rows.map(({ id }) => id),
      );
      return paginate(runtime.secrets, 'send-requests', page, rows, {
        position: ({ id }) => id,
        present: (row) => presentSendRequest(row, counts.get(row.id)),
      });
    },
  );

  app.get(
    '/v1/send-requests/:id',
    operation({
      id: 'getSendRequest',
      tag: 'sending',
      summary: 'Read a send request and its counts',
      access: ['send-requests:read'],
      params,
      answers: { 200: reference('SendRequest') },
    }),
    async (request, reply) => {
      const row = await getSendRequest(runtime.db, callerOf(request), request.params.id);
      return shown(reply, row, () => presentOne(runtime, row));
    },
  );
}

function changeRoutes(app: App, runtime: Runtime): void {
  app.patch(
    '/v1/send-requests/:id',
    operation({
      id: 'rescheduleSendRequest',
      tag: 'sending',
      summary: 'Move the time of a send request',
      access: ['send-requests:update'],
      params,
      body: SendRequestChange,
      conditional: true,
      answers: { 200: reference('SendRequest') },
      errors: ['unprocessable', 'conflict'],
    }),
    async (request, reply) => {
      const target = { caller: callerOf(request), id: request.params.id, revision: expectedRevision(request) };
      const row = await runtime.db.transaction((tx) => rescheduleSendRequest(runtime, tx, target, request.body));
      return shown(reply, row, () => presentOne(runtime, row));
    },
  );

  app.post(
    '/v1/send-requests/:id/cancel',
    operation({
      id: 'cancelSendRequest',
      tag: 'sending',
      summary: 'Cancel a send request',
      description: 'Messages in `E` and `V` that are not being sent become `B` `cancelled`.',
      access: ['send-requests:update'],
      params,
      idempotency: 'accepted',
      answers: { 200: Cancelled },
    }),
    (request, reply) => {
      const caller = callerOf(request);
      return runIdempotently(runtime, request, reply, null, {
        async commit(tx) {
          return { status: 200, answer: await cancelSendRequest(runtime, tx, caller, request.params.id) };
        },
      });
    },
  );
}

function confirmRoute(app: App, runtime: Runtime): void {
  app.post(
    '/v1/send-requests/:id/confirm',
    operation({
      id: 'confirmSendRequest',
      tag: 'sending',
      summary: 'Confirm a draft',
      description: 'Its rows are read again as of now, and become messages (W6).',
      access: ['send:single', 'send:bulk'],
      params,
      body: Confirmation,
      idempotency: 'accepted',
      answers: { 200: reference('SendRequestResult') },
      errors: [
        'not_a_draft',
        'unprocessable',
        'rows_refused',
        'validation_not_allowed',
        'precondition_failed',
        'extraction_failed',
        'source_unavailable',
      ],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const draft = await getSendRequest(runtime.db, caller, id);
      demandSend(caller, draft.recipientCount * draft.templates.length);
      const work = intakeWork(request, {
        prepare: () => prepareConfirmation(runtime, caller, id, request.body.editedAt),
        commit: async (tx, prepared) => ({
          status: 200,
          answer: await confirmSendRequest(runtime, tx, caller, id, prepared),
        }),
      });
      return runIdempotently(runtime, request, reply, request.body, work);
    },
  );
}

/** Send requests. */
export function sendRequestRoutes(app: App, runtime: Runtime): void {
  for (const component of [SendRequest, SendRequestResult]) app.addSchema(component);
  createRoute(app, runtime);
  readRoutes(app, runtime);
  changeRoutes(app, runtime);
  confirmRoute(app, runtime);
}
