import Type from 'typebox';
import { key } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import { NewRecipientType, RecipientType, RecipientTypeChange } from '../../tenants/recipient-type-schema.ts';
import {
  createRecipientType,
  deleteRecipientType,
  getRecipientType,
  listRecipientTypes,
  type RecipientTypeRow,
  updateRecipientType,
} from '../../tenants/recipient-types.ts';
import { actorOf } from '../../tenants/rights.ts';
import { changeRoute, createRoute, deleteRoute, listRoute, type Resource, readRoute } from '../resource-routes.ts';
import type { App } from '../validation.ts';

/** Recipient types: the kinds of people and structures that an organisation knows. */
export function recipientTypeRoutes(app: App, runtime: Runtime): void {
  app.addSchema(RecipientType);
  const types: Resource<RecipientTypeRow> = {
    name: 'recipient-types',
    component: 'RecipientType',
    tag: 'people',
    get: (tenantId, id) => getRecipientType(runtime.db, tenantId, id),
    present({ tenantId: _tenantId, revision: _revision, ...shown }) {
      return shown;
    },
  };
  createRoute(app, runtime, types, {
    summary: 'Add a recipient type',
    body: NewRecipientType,
    errors: ['conflict'],
    create: (tx, caller, body) =>
      createRecipientType(runtime, tx, caller.tenantId, actorOf(caller), { reachedThrough: 'own', ...body }),
  });
  changeRoute(app, runtime, types, {
    summary: 'Change a recipient type',
    description: 'What is sent from now on goes by it. The key never changes: recipients and templates refer to it.',
    body: RecipientTypeChange,
    change: (tx, target, body) => updateRecipientType(runtime, tx, target, body),
  });
  deleteRoute(app, runtime, types, {
    summary: 'Delete a recipient type that no recipient has',
    errors: ['in_use'],
    remove: (tx, tenantId, actor, id) => deleteRecipientType(runtime, tx, tenantId, actor, id),
  });
  listRoute(app, runtime, types, {
    summary: 'List recipient types',
    filter: { key: Type.Optional(key({ description: 'The one with this key.' })) },
    list: (tenantId, page, query) => listRecipientTypes(runtime.db, tenantId, page, query),
  });
  readRoute(app, types, { summary: 'Read a recipient type' });
}
