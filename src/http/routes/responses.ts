import Type from 'typebox';
import { closed, line, reference, Uuid } from '../../fields.ts';
import { NewResponse, Response } from '../../recipients/responses/schema.ts';
import {
  deleteResponse,
  getResponse,
  listResponses,
  type ResponseRow,
  recordResponse,
} from '../../recipients/responses/store.ts';
import type { Runtime } from '../../runtime.ts';
import { actorOf } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import type { App } from '../validation.ts';
import { recipientId } from './recipients.ts';

const params = closed({ id: recipientId });

/** A response as the API shows it. */
export function presentResponse(row: ResponseRow) {
  const { id, recipientId: recipient, contextType: type, contextRef: ref, answeredAt, source } = row;
  const { createdAt, updatedAt } = row;
  return { id, recipient, context: { type, ref }, answeredAt, source, createdAt, updatedAt };
}

function createRoute(app: App, runtime: Runtime): void {
  app.post(
    '/v1/recipients/:id/responses',
    operation({
      id: 'createResponse',
      tag: 'people',
      summary: 'Tell that a person has answered',
      description:
        'Once for each context: a repeat answers the first one (200) and changes nothing. Reminders leave out who has answered (D10).',
      access: ['responses:create'],
      params,
      body: NewResponse,
      idempotency: 'accepted',
      answers: { 200: reference('Response'), 201: reference('Response') },
      errors: ['unprocessable'],
    }),
    (request, reply) => {
      const caller = callerOf(request);
      const { tenantId } = caller;
      const { context, answeredAt, source = null } = request.body;
      const given = { context, source, answeredAt: answeredAt === undefined ? null : new Date(answeredAt) };
      return runIdempotently<{ id: string; recipient: string }>(runtime, request, reply, request.body, {
        async commit(tx) {
          const target = { tenantId, reference: request.params.id, actor: actorOf(caller) };
          const { row, created } = await recordResponse(runtime, tx, target, given);
          return { status: created ? 201 : 200, answer: { id: row.id, recipient: row.recipientId } };
        },
        present: async ({ id, recipient }) => presentResponse(await getResponse(runtime.db, tenantId, recipient, id)),
      });
    },
  );
}

/** Responses: who has answered what a context asked. */
export function responseRoutes(app: App, runtime: Runtime): void {
  app.addSchema(Response);
  createRoute(app, runtime);

  app.get(
    '/v1/recipients/:id/responses',
    operation({
      id: 'listResponses',
      tag: 'people',
      summary: 'List what a person has answered',
      access: ['responses:read'],
      params,
      query: closed({
        ...pageQuery,
        contextType: Type.Optional(line(50, { description: 'The `type` of the context.' })),
        context: Type.Optional(line(200, { description: 'The `ref` of the context.' })),
      }),
      answers: { 200: pageOf('Response') },
      errors: ['invalid_cursor'],
    }),
    async (request) => {
      const { tenantId } = callerOf(request);
      const { limit: _limit, cursor: _cursor, ...filter } = request.query;
      const list = `responses:${request.params.id}`;
      const page = readPage(runtime.secrets, list, request.query);
      const { rows } = await listResponses(runtime.db, tenantId, request.params.id, page, filter);
      return paginate(runtime.secrets, list, page, rows, { position: ({ id }) => id, present: presentResponse });
    },
  );

  app.delete(
    '/v1/recipients/:id/responses/:response',
    operation({
      id: 'deleteResponse',
      tag: 'people',
      summary: 'Take back that a person has answered',
      access: ['responses:update'],
      params: closed({ id: recipientId, response: { ...Uuid, description: 'Id of the response.' } as typeof Uuid }),
      answers: { 204: Type.Null() },
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const { id: reference, response } = request.params;
      const target = { tenantId: caller.tenantId, reference, actor: actorOf(caller) };
      await runtime.db.transaction((tx) => deleteResponse(runtime, tx, target, response));
      return reply.code(204).send(null);
    },
  );
}
