import Type from 'typebox';
import { key } from '../../fields.ts';
import {
  createNotificationType,
  deleteNotificationType,
  getNotificationType,
  listNotificationTypes,
  type NotificationTypeRow,
  updateNotificationType,
} from '../../recipients/permissions/notification-types.ts';
import { NewNotificationType, NotificationType, NotificationTypeChange } from '../../recipients/permissions/schema.ts';
import type { Runtime } from '../../runtime.ts';
import { actorOf } from '../../tenants/rights.ts';
import { changeRoute, createRoute, deleteRoute, listRoute, type Resource, readRoute } from '../resource-routes.ts';
import type { App } from '../validation.ts';

/** Notification types: the tenant's catalogue of notices. */
export function notificationTypeRoutes(app: App, runtime: Runtime): void {
  app.addSchema(NotificationType);
  const types: Resource<NotificationTypeRow> = {
    name: 'notification-types',
    component: 'NotificationType',
    tag: 'people',
    get: (tenantId, id) => getNotificationType(runtime.db, tenantId, id),
    present({ tenantId: _tenantId, revision: _revision, ...shown }) {
      return shown;
    },
  };
  createRoute(app, runtime, types, {
    summary: 'Add a kind of notice to the catalogue',
    description: 'Active, and by mail only, unless the body says otherwise.',
    body: NewNotificationType,
    errors: ['conflict'],
    create: (tx, caller, body) =>
      createNotificationType(runtime, tx, caller.tenantId, actorOf(caller), {
        active: true,
        channels: ['mail'],
        subscription: false,
        ...body,
      }),
  });
  changeRoute(app, runtime, types, {
    summary: 'Change a kind of notice',
    description: 'Holds at once, also for messages that have not left.',
    body: NotificationTypeChange,
    change: (tx, target, body) => updateNotificationType(runtime, tx, target, body),
  });
  deleteRoute(app, runtime, types, {
    summary: 'Delete a kind of notice that nothing uses and nobody has refused',
    errors: ['in_use'],
    remove: (tx, tenantId, actor, id) => deleteNotificationType(runtime, tx, tenantId, actor, id),
  });
  listRoute(app, runtime, types, {
    summary: 'List the catalogue of notices',
    filter: {
      key: Type.Optional(key({ description: 'The one with this key.' })),
      active: Type.Optional(Type.Boolean({ description: 'Those that are sent, or are not.' })),
    },
    list: (tenantId, page, query) => listNotificationTypes(runtime.db, tenantId, page, query),
  });
  readRoute(app, types, { summary: 'Read a kind of notice' });
}
