import Type from 'typebox';
import { key } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import { changeLayout, prepareLayoutChange } from '../../templates/layouts/apply.ts';
import { checkLayoutTexts, findLogo, keepLogo } from '../../templates/layouts/check.ts';
import { Layout, LayoutChange, NewLayout } from '../../templates/layouts/schema.ts';
import { createLayout, deleteLayout, getLayout, type LayoutRow, listLayouts } from '../../templates/layouts/store.ts';
import { actorOf } from '../../tenants/rights.ts';
import { changeRoute, createRoute, deleteRoute, listRoute, type Resource, readRoute } from '../resource-routes.ts';
import type { App } from '../validation.ts';

/** Layouts: what stands around the sections of mails (A8). */
export function layoutRoutes(app: App, runtime: Runtime): void {
  app.addSchema(Layout);
  const layouts: Resource<LayoutRow> = {
    name: 'layouts',
    component: 'Layout',
    tag: 'content',
    get: (tenantId, id) => getLayout(runtime.db, tenantId, id),
    present({ tenantId: _tenantId, revision: _revision, logo, ...shown }) {
      return { ...shown, logo: logo?.id ?? null };
    },
  };
  createRoute(app, runtime, layouts, {
    summary: 'Create a layout',
    body: NewLayout,
    errors: ['conflict', 'unprocessable', 'template_invalid'],
    prepare: (_caller, body) => checkLayoutTexts(runtime.reader, body),
    async create(tx, caller, { logo = null, ...body }) {
      return createLayout(runtime, tx, caller.tenantId, actorOf(caller), {
        logoText: '',
        academicYear: null,
        identity: null,
        css: null,
        html: null,
        ...body,
        logo: await keepLogo(runtime, tx, caller.tenantId, logo),
      });
    },
  });
  changeRoute(app, runtime, layouts, {
    summary: 'Change a layout',
    description:
      'Each template whose current version uses it gets a new version, published at once; messages that exist keep theirs.',
    body: LayoutChange,
    errors: ['conflict', 'unprocessable', 'template_invalid'],
    async prepare(target, { logo, ...body }) {
      await checkLayoutTexts(runtime.reader, body);
      const pinned = logo === undefined ? {} : { logo: await findLogo(runtime.db, target.tenantId, logo) };
      return prepareLayoutChange(runtime, target, { ...body, ...pinned });
    },
    async change(tx, target, { logo }, _caller, prepared) {
      if (logo !== undefined) await keepLogo(runtime, tx, target.tenantId, logo);
      return changeLayout(runtime, tx, target, prepared);
    },
  });
  deleteRoute(app, runtime, layouts, {
    summary: 'Delete a layout that no template uses',
    errors: ['in_use'],
    remove: (tx, tenantId, actor, id) => deleteLayout(runtime, tx, tenantId, actor, id),
  });
  listRoute(app, runtime, layouts, {
    summary: 'List layouts',
    filter: { key: Type.Optional(key({ description: 'The one with this key.' })) },
    list: (tenantId, page, query) => listLayouts(runtime.db, tenantId, page, query),
  });
  readRoute(app, layouts, { summary: 'Read a layout' });
}
