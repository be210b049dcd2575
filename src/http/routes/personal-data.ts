import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { closed, reference } from '../../fields.ts';
import { redirectOf } from '../../messages/content.ts';
import { filterFields } from '../../messages/filter.ts';
import { presentAttempt, presentMessage, presentTransition } from '../../messages/present.ts';
import { searchMessages } from '../../messages/store.ts';
import { startErasure, startErasureOfAddress } from '../../operations/order-erasure.ts';
import { exportPerson } from '../../personal-data/export.ts';
import { ErasureOfAddress, PersonalData } from '../../personal-data/schema.ts';
import { getRecipient } from '../../recipients/store.ts';
import type { Runtime } from '../../runtime.ts';
import { getTenant } from '../../tenants/store.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import { languageOf } from '../problem.ts';
import type { App } from '../validation.ts';
import { redirectedTo } from './messages.ts';
import { presentChoice } from './permissions.ts';
import { presentRecipient, recipientId } from './recipients.ts';
import { presentResponse } from './responses.ts';
import { presentSuppression } from './suppressions.ts';

const params = closed({ id: recipientId });

function historyRoute(app: App, runtime: Runtime): void {
  const { recipient: _recipient, ...filters } = filterFields;
  app.get(
    '/v1/recipients/:id/messages',
    operation({
      id: 'listRecipientMessages',
      tag: 'people',
      summary: 'The history of a person: their messages',
      description: 'Newest first, with the filters of `GET /v1/messages`. What was erased is nobody’s any more.',
      access: ['messages:read'],
      params,
      query: closed({ ...pageQuery, ...filters }),
      answers: { 200: pageOf('Message') },
      errors: ['invalid_cursor'],
    }),
    async (request) => {
      const { tenantId, testOnly } = callerOf(request);
      const { limit: _limit, cursor: _cursor, ...filter } = request.query;
      const { id: recipient } = await getRecipient(runtime.db, tenantId, request.params.id);
      const list = `recipient-messages:${recipient}`;
      const page = readPage(runtime.secrets, list, request.query);
      const rows = await searchMessages(runtime.db, { tenantId, testOnly }, { ...filter, recipient }, page);
      const redirect = await redirectedTo(runtime, tenantId);
      const language = languageOf(request);
      return paginate(runtime.secrets, list, page, rows, {
        position: ({ id }) => id,
        present: (row) => presentMessage(row, language, redirect),
      });
    },
  );
}

function exportRoute(app: App, runtime: Runtime): void {
  app.get(
    '/v1/recipients/:id/export',
    operation({
      id: 'exportRecipient',
      tag: 'people',
      summary: 'Everything held of a person and sent to them',
      description:
        'One JSON document, streamed: the record, addresses, choices, consents with their history, responses, suppressions, audit entries, each message with its text, data, moves and tries, and rows of drafts (GDPR, articles 15 and 20). Their dependants are not in it. The bytes of documents are read by their ids.',
      access: ['personal-data:read'],
      params,
      answers: {
        200: {
          description: 'The document',
          content: { 'application/json': { schema: reference('PersonalData') } },
        } as never,
      },
    }),
    async (request, reply) => {
      const { tenantId } = callerOf(request);
      const language = languageOf(request);
      const row = await getRecipient(runtime.db, tenantId, request.params.id);
      const redirect = redirectOf(runtime.config, await getTenant(runtime.db, tenantId))?.to ?? null;
      const pieces = exportPerson(runtime, tenantId, row, {
        recipient: presentRecipient,
        choice: presentChoice,
        response: presentResponse,
        suppression: presentSuppression,
        message: (message) => ({
          ...presentMessage(message, language, redirect),
          data: message.data,
          overrides: message.overrides,
        }),
        transition: (move) => presentTransition(move, language),
        attempt: presentAttempt,
      });
      reply.header('content-disposition', `attachment; filename="recipient-${row.id}.json"`);
      return reply.type('application/json; charset=utf-8').send(Readable.from(pieces));
    },
  );
}

type Erasing = Parameters<typeof startErasure>[1];

/** Runs what asks for an erasure, and answers its operation. */
function answerErasure(
  runtime: Runtime,
  request: FastifyRequest,
  reply: FastifyReply,
  start: (tx: Erasing) => Promise<{ id: string }>,
) {
  const { tenantId } = callerOf(request);
  return runIdempotently<{ operation: string; status: 'queued' }>(runtime, request, reply, request.body ?? null, {
    prepare: () => runtime.addressHashes.prepare(runtime.db, tenantId),
    async commit(tx) {
      const { id } = await start(tx);
      return { status: 202, answer: { operation: id, status: 'queued' } };
    },
    location: ({ operation: id }) => `/v1/operations/${id}`,
  });
}

function eraseAddressRoute(app: App, runtime: Runtime): void {
  app.post(
    '/v1/recipients/erase',
    operation({
      id: 'eraseAddress',
      tag: 'people',
      summary: 'Erase whoever has an address, and no record',
      description:
        'For people who were only ever the `to` of a row, or whose record was deleted: the same for all messages to the address, copies of it, drafts and filters. It answers 202 also where nothing is known of it. An address that a record has answers 409 with the ids in `recipients`: erase them. The event `recipient.erased` and the audit entry name the operation.',
      access: ['personal-data:update'],
      body: ErasureOfAddress,
      idempotency: 'accepted',
      answers: { 202: reference('OperationStarted') },
      errors: ['being_sent', 'in_use', 'unprocessable'],
    }),
    (request, reply) =>
      answerErasure(runtime, request, reply, (tx) =>
        startErasureOfAddress(runtime, tx, callerOf(request), request.body.address),
      ),
  );
}

/** What a person may ask of whoever holds their data: to see it, and to have it erased. */
export function personalDataRoutes(app: App, runtime: Runtime): void {
  app.addSchema(PersonalData);
  historyRoute(app, runtime);
  exportRoute(app, runtime);
  eraseAddressRoute(app, runtime);

  app.post(
    '/v1/recipients/:id/erase',
    operation({
      id: 'eraseRecipient',
      tag: 'people',
      summary: 'Erase a person',
      description:
        'Messages that wait become `B` `erased` at once; a worker does the rest. The record and all that hangs on it are deleted. Of their messages, and of those to an address that is theirs alone, only statuses, reasons, times and keyed hashes are left: counts still hold, and a suppressed address stays suppressed. Drafts, exports, documents that nobody else uses, files of the outbox, and copies of other people’s messages are reached too. What the data or the texts of other people’s messages say of them is not. While one of their messages is being sent it answers 409 and does nothing. It cannot be undone. The id of a record that was deleted is taken while messages name it.',
      access: ['personal-data:update'],
      params,
      idempotency: 'accepted',
      answers: { 202: reference('OperationStarted') },
      errors: ['being_sent'],
    }),
    (request, reply) =>
      answerErasure(runtime, request, reply, (tx) => startErasure(runtime, tx, callerOf(request), request.params.id)),
  );
}
