import Type from 'typebox';
import { closed, key, reference, words } from '../../fields.ts';
import { checkFieldsShape } from '../../merge-fields/check-shape.ts';
import type { Runtime } from '../../runtime.ts';
import { type BrokenTemplate, oneWithBroken, withBroken } from '../../templates/fields/broken.ts';
import { addFieldList, deleteFieldList } from '../../templates/fields/keep.ts';
import { offeredFields } from '../../templates/fields/offered.ts';
import { FieldList, FieldListChange, NewFieldList, OfferedField } from '../../templates/fields/schema.ts';
import { type FieldListRow, getFieldList, listFieldLists, updateFieldList } from '../../templates/fields/store.ts';
import { actorOf } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { operation } from '../openapi.ts';
import { changeRoute, createRoute, deleteRoute, listRoute, type Resource, readRoute } from '../resource-routes.ts';
import type { App } from '../validation.ts';

type ShownList = FieldListRow & { broken: BrokenTemplate[] };

function listRoutes(app: App, runtime: Runtime): void {
  const lists: Resource<ShownList> = {
    name: 'field-lists',
    component: 'FieldList',
    tag: 'content',
    get: async (tenantId, id) => oneWithBroken(runtime.db, 'list', await getFieldList(runtime.db, tenantId, id)),
    complete: (row) => oneWithBroken(runtime.db, 'list', row),
    present({ tenantId: _tenantId, revision: _revision, ...shown }) {
      return shown;
    },
  };
  createRoute(app, runtime, lists, {
    summary: 'Add a list of merge fields',
    description: 'Fields that a page of the calling application, or all of them, gives. Templates are held to them.',
    body: NewFieldList,
    errors: ['conflict', 'unprocessable'],
    create: (tx, caller, body) =>
      addFieldList(runtime, tx, caller.tenantId, actorOf(caller), { trigger: null, pages: [], ...body }),
  });
  changeRoute(app, runtime, lists, {
    summary: 'Change a list of merge fields',
    description: 'The answer tells which published templates read fields that nothing gives any more (`broken`).',
    body: FieldListChange,
    errors: ['unprocessable'],
    async change(tx, target, body) {
      if (body.fields !== undefined) checkFieldsShape(body.fields, '/fields');
      return { ...(await updateFieldList(runtime, tx, target, body)), broken: [] };
    },
  });
  deleteRoute(app, runtime, lists, {
    summary: 'Delete a list of merge fields that no published template needs',
    errors: ['in_use'],
    remove: (tx, tenantId, actor, id) => deleteFieldList(runtime, tx, tenantId, actor, id),
  });
  listRoute(app, runtime, lists, {
    summary: 'List the lists of merge fields',
    filter: { key: Type.Optional(key({ description: 'The one with this key.' })) },
    list: async (tenantId, page, query) =>
      withBroken(runtime.db, tenantId, 'list', await listFieldLists(runtime.db, tenantId, page, query)),
  });
  readRoute(app, lists, { summary: 'Read a list of merge fields' });
}

function offeredRoute(app: App, runtime: Runtime): void {
  app.get(
    '/v1/fields',
    operation({
      id: 'listFields',
      tag: 'content',
      summary: 'List the merge fields that templates may use',
      description:
        'Those of every list and extraction that serves the trigger and the page, in the order of keys; all at once.',
      access: ['templates:read'],
      query: closed({
        trigger: Type.Optional(words(['person', 'activity'], { description: 'For templates about this.' })),
        page: Type.Optional(key({ description: 'For templates of this page.' })),
      }),
      answers: { 200: closed({ items: Type.Array(reference('OfferedField')) }) },
    }),
    async (request) => {
      const { trigger = null, page } = request.query;
      const usage = { trigger, pages: page === undefined ? [] : [page] };
      return { items: await offeredFields(runtime.db, callerOf(request).tenantId, usage) };
    },
  );
}

/** Merge fields: what there is, by trigger and page. */
export function fieldRoutes(app: App, runtime: Runtime): void {
  for (const component of [FieldList, OfferedField]) app.addSchema(component);
  listRoutes(app, runtime);
  offeredRoute(app, runtime);
}
