import Type from 'typebox';
import { closed, reference, Uuid } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import { NewSender, Sender, SenderChange } from '../../senders/schema.ts';
import {
  createSender,
  deleteSender,
  getSender,
  listSenders,
  type SenderRow,
  updateSender,
} from '../../senders/store.ts';
import { actorOf } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import { expectedRevision, shown } from '../precondition.ts';
import type { App } from '../validation.ts';

const params = closed({ id: Uuid });

function presentSender(row: SenderRow) {
  const { tenantId: _tenantId, revision: _revision, ...shown } = row;
  return shown;
}

function writeRoutes(app: App, runtime: Runtime): void {
  app.post(
    '/v1/senders',
    operation({
      id: 'createSender',
      tag: 'content',
      summary: 'Create a sender',
      access: ['senders:create'],
      body: NewSender,
      idempotency: 'accepted',
      answers: { 201: reference('Sender') },
      errors: ['conflict', 'unprocessable'],
    }),
    (request, reply) => {
      const caller = callerOf(request);
      const { body } = request;
      return runIdempotently<{ id: string }>(runtime, request, reply, body, {
        async commit(tx) {
          const { id } = await createSender(runtime, tx, caller.tenantId, actorOf(caller), {
            key: body.key,
            fromAddress: body.fromAddress,
            fromName: body.fromName ?? null,
            replyTo: body.replyTo ?? null,
            archiveBcc: body.archiveBcc ?? [],
            isDefault: body.isDefault,
          });
          return { status: 201, answer: { id } };
        },
        present: async ({ id }) => shown(reply, await getSender(runtime.db, caller.tenantId, id), presentSender),
        location: ({ id }) => `/v1/senders/${id}`,
      });
    },
  );

  app.patch(
    '/v1/senders/:id',
    operation({
      id: 'updateSender',
      tag: 'content',
      summary: 'Change a sender',
      description: 'Messages that exist keep what it said when they were made.',
      access: ['senders:update'],
      params,
      body: SenderChange,
      conditional: true,
      answers: { 200: reference('Sender') },
      errors: ['unprocessable'],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const revision = expectedRevision(request);
      const target = { tenantId: caller.tenantId, id: request.params.id, actor: actorOf(caller), revision };
      const row = await runtime.db.transaction((tx) => updateSender(runtime, tx, target, request.body));
      return shown(reply, row, presentSender);
    },
  );
}

function deleteRoute(app: App, runtime: Runtime): void {
  app.delete(
    '/v1/senders/:id',
    operation({
      id: 'deleteSender',
      tag: 'content',
      summary: 'Delete a sender that nothing uses',
      access: ['senders:update'],
      params,
      answers: { 204: Type.Null() },
      errors: ['in_use'],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      await runtime.db.transaction((tx) => deleteSender(runtime, tx, caller.tenantId, actorOf(caller), id));
      return reply.code(204).send(null);
    },
  );
}

function readRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/senders',
    operation({
      id: 'listSenders',
      tag: 'content',
      summary: 'List senders',
      access: ['senders:read'],
      query: closed(pageQuery),
      answers: { 200: pageOf('Sender') },
      errors: ['invalid_cursor'],
    }),
    async (request) => {
      const page = readPage(runtime.secrets, 'senders', request.query);
      const rows = await listSenders(runtime.db, callerOf(request).tenantId, page);
      return paginate(runtime.secrets, 'senders', page, rows, { position: ({ id }) => id, present: presentSender });
    },
  );

  app.get(
    '/v1/senders/:id',
    operation({
      id: 'getSender',
      tag: 'content',
      summary: 'Read a sender',
      access: ['senders:read'],
      params,
      answers: { 200: reference('Sender') },
    }),
    async (request, reply) => {
      const row = await getSender(runtime.db, callerOf(request).tenantId, request.params.id);
      return shown(reply, row, presentSender);
    },
  );
}

/** Senders: who messages come from (W3). */
export function senderRoutes(app: App, runtime: Runtime): void {
  app.addSchema(Sender);
  writeRoutes(app, runtime);
  deleteRoute(app, runtime);
  readRoutes(app, runtime);
}
