import Type from 'typebox';
import { closed, key, reference, Uuid } from '../../fields.ts';
import {
  createNotificationType,
  deleteNotificationType,
  getNotificationType,
  listNotificationTypes,
  type NotificationTypeRow,
  updateNotificationType,
} from '../../recipients/notification-types.ts';
import { NewNotificationType, NotificationType, NotificationTypeChange } from '../../recipients/schema.ts';
import type { Runtime } from '../../runtime.ts';
import { actorOf } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import { expectedRevision, shown } from '../precondition.ts';
import type { App } from '../validation.ts';

const params = closed({ id: Uuid });

function presentType(row: NotificationTypeRow) {
  const { tenantId: _tenantId, revision: _revision, ...shown } = row;
  return shown;
}

function writeRoutes(app: App, runtime: Runtime): void {
  app.post(
    '/v1/notification-types',
    operation({
      id: 'createNotificationType',
      tag: 'people',
      summary: 'Add a kind of notice to the catalogue',
      description: 'Active, and by mail only, unless the body says otherwise.',
      access: ['notification-types:create'],
      body: NewNotificationType,
      idempotency: 'accepted',
      answers: { 201: reference('NotificationType') },
      errors: ['conflict'],
    }),
    (request, reply) => {
      const caller = callerOf(request);
      const { body } = request;
      return runIdempotently<{ id: string }>(runtime, request, reply, body, {
        async commit(tx) {
          const type = { active: true, channels: ['mail'], ...body };
          const { id } = await createNotificationType(runtime, tx, caller.tenantId, actorOf(caller), type);
          return { status: 201, answer: { id } };
        },
        present: async ({ id }) =>
          shown(reply, await getNotificationType(runtime.db, caller.tenantId, id), presentType),
        location: ({ id }) => `/v1/notification-types/${id}`,
      });
    },
  );

  app.patch(
    '/v1/notification-types/:id',
    operation({
      id: 'updateNotificationType',
      tag: 'people',
      summary: 'Change a kind of notice',
      description: 'Holds at once, also for messages that have not left.',
      access: ['notification-types:update'],
      params,
      body: NotificationTypeChange,
      conditional: true,
      answers: { 200: reference('NotificationType') },
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const revision = expectedRevision(request);
      const target = { tenantId: caller.tenantId, id: request.params.id, actor: actorOf(caller), revision };
      const row = await runtime.db.transaction((tx) => updateNotificationType(runtime, tx, target, request.body));
      return shown(reply, row, presentType);
    },
  );

  app.delete(
    '/v1/notification-types/:id',
    operation({
      id: 'deleteNotificationType',
      tag: 'people',
      summary: 'Delete a kind of notice that nothing uses, with the choices about it',
      access: ['notification-types:update'],
      params,
      answers: { 204: Type.Null() },
      errors: ['in_use'],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      await runtime.db.transaction((tx) => deleteNotificationType(runtime, tx, caller.tenantId, actorOf(caller), id));
      return reply.code(204).send(null);
    },
  );
}

function readRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/notification-types',
    operation({
      id: 'listNotificationTypes',
      tag: 'people',
      summary: 'List the catalogue of notices',
      access: ['notification-types:read'],
      query: closed({
        ...pageQuery,
        key: Type.Optional(key({ description: 'The one with this key.' })),
        active: Type.Optional(Type.Boolean({ description: 'Those that are sent, or are not.' })),
      }),
      answers: { 200: pageOf('NotificationType') },
      errors: ['invalid_cursor'],
    }),
    async (request) => {
      const page = readPage(runtime.secrets, 'notification-types', request.query);
      const rows = await listNotificationTypes(runtime.db, callerOf(request).tenantId, page, request.query);
      return paginate(runtime.secrets, 'notification-types', page, rows, {
        position: ({ id }) => id,
        present: presentType,
      });
    },
  );

  app.get(
    '/v1/notification-types/:id',
    operation({
      id: 'getNotificationType',
      tag: 'people',
      summary: 'Read a kind of notice',
      access: ['notification-types:read'],
      params,
      answers: { 200: reference('NotificationType') },
    }),
    async (request, reply) => {
      const row = await getNotificationType(runtime.db, callerOf(request).tenantId, request.params.id);
      return shown(reply, row, presentType);
    },
  );
}

/** Notification types: the tenant's catalogue of notices. */
export function notificationTypeRoutes(app: App, runtime: Runtime): void {
  app.addSchema(NotificationType);
  writeRoutes(app, runtime);
  readRoutes(app, runtime);
}
