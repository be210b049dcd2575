import Type from 'typebox';
import { invalidField } from '../../errors.ts';
import { key, words } from '../../fields.ts';
import { findNotificationType } from '../../recipients/notification-types.ts';
import type { Runtime } from '../../runtime.ts';
import { countByTemplate, type TemplateCounters } from '../../templates/counters.ts';
import { deleteTemplate } from '../../templates/delete.ts';
import { NewTemplate, Template, TemplateChange } from '../../templates/schema.ts';
import {
  createTemplate,
  getTemplate,
  listTemplates,
  type TemplateFields,
  type TemplateRow,
  updateTemplate,
} from '../../templates/store.ts';
import { actorOf, type Caller, demand } from '../../tenants/rights.ts';
import type { EffectTx } from '../idempotency.ts';
import { changeRoute, createRoute, deleteRoute, listRoute, type Resource, readRoute } from '../resource-routes.ts';
import type { App } from '../validation.ts';

type Change = Partial<Omit<TemplateFields, 'notificationTypeId'>> & { notificationType?: string | null };

/** The change as the store takes it. @throws AppError when it names an unknown notification type, or needs a right. */
async function fieldsOf(
  tx: EffectTx,
  caller: Caller,
  change: Change,
  before: TemplateRow | null,
): Promise<Partial<TemplateFields>> {
  const { notificationType, ...fields } = change;
  const loosened = before?.validation === 'manual' && fields.validation === null;
  if (fields.validation === 'automatic' || loosened) demand(caller, 'messages:validate');
  if (notificationType === undefined) return fields;
  if (notificationType === null) return { ...fields, notificationTypeId: null };
  const type = await findNotificationType(tx, caller.tenantId, notificationType);
  if (type === null) {
    throw invalidField(
      '/notificationType',
      'notification_type_unknown',
      `there is no notification type ${notificationType}`,
    );
  }
  return { ...fields, notificationTypeId: type.id };
}

const defaults: Omit<TemplateFields, 'title'> = {
  description: null,
  family: null,
  category: 'transactional',
  recipientTypes: [],
  documentTypes: [],
  pages: [],
  trigger: null,
  notificationTypeId: null,
  validation: null,
  consentPurpose: null,
  resendAllowed: false,
  active: true,
};

const filter = {
  key: Type.Optional(key({ description: 'The one with this key.' })),
  family: Type.Optional(Type.String({ maxLength: 100, description: 'Those of this family.' })),
  category: Type.Optional(words(['transactional', 'service', 'marketing'], { description: 'Those of this category.' })),
  active: Type.Optional(Type.Boolean({ description: 'Those that can be used, or cannot.' })),
  documentType: Type.Optional(key({ description: 'Those that are the content of this document type.' })),
  recipientType: Type.Optional(key({ description: 'Those that may go to recipients of this type (J1).' })),
  page: Type.Optional(key({ description: 'Those that are offered on this page (M7).' })),
  trigger: Type.Optional(words(['person', 'activity'], { description: 'Those about this.' })),
};

type ShownTemplate = TemplateRow & { counters: TemplateCounters };

async function withCounters(
  db: Runtime['db'] | EffectTx,
  tenantId: string,
  rows: readonly TemplateRow[],
): Promise<ShownTemplate[]> {
  const none = { E: 0, V: 0, OK: 0, KO: 0, B: 0 };
  const ids = rows.map(({ id }) => id);
  const counters = await countByTemplate(db, tenantId, ids);
  return rows.map((row) => ({ ...row, counters: counters.get(row.id) ?? none }));
}

async function oneWithCounters(db: Runtime['db'] | EffectTx, row: TemplateRow): Promise<ShownTemplate> {
  const [shown] = await withCounters(db, row.tenantId, [row]);
  if (shown === undefined) throw new Error('one row gives one');
  return shown;
}

/** Templates. Their versions are in `template-versions.ts`. */
export function templateRoutes(app: App, runtime: Runtime): void {
  app.addSchema(Template);
  const templates: Resource<ShownTemplate> = {
    name: 'templates',
    component: 'Template',
    tag: 'content',
    get: async (tenantId, id) => oneWithCounters(runtime.db, await getTemplate(runtime.db, tenantId, id)),
    present({ tenantId: _tenantId, revision: _revision, deletedAt: _deletedAt, notificationTypeId, ...shown }) {
      return { ...shown, notificationType: notificationTypeId };
    },
  };
  createRoute(app, runtime, templates, {
    summary: 'Create a template',
    description: 'It can be used once a version is published.',
    body: NewTemplate,
    errors: ['conflict', 'unprocessable'],
    async create(tx, caller, { key: name, title, channel, ...rest }) {
      const fields = await fieldsOf(tx, caller, rest, null);
      const template = { ...defaults, ...fields, key: name, title, channel };
      return createTemplate(runtime, tx, caller.tenantId, actorOf(caller), template);
    },
  });
  changeRoute(app, runtime, templates, {
    summary: 'Change a template',
    body: TemplateChange,
    errors: ['unprocessable'],
    async change(tx, target, body, caller) {
      const before = await getTemplate(tx, target.tenantId, target.id);
      const change = await fieldsOf(tx, caller, body, before);
      return oneWithCounters(tx, await updateTemplate(runtime, tx, target, change));
    },
  });
  deleteRoute(app, runtime, templates, {
    summary: 'Delete a template',
    description:
      'For good; what was sent with it stays in the history. Refused while messages wait, a draft or the tenant names it: `errors` has a line for each use.',
    errors: ['in_use'],
    remove: (tx, tenantId, actor, id) => deleteTemplate(runtime, tx, tenantId, actor, id),
  });
  listRoute(app, runtime, templates, {
    summary: 'List templates',
    filter,
    list: async (tenantId, page, query) =>
      withCounters(runtime.db, tenantId, await listTemplates(runtime.db, tenantId, page, query)),
  });
  readRoute(app, templates, { summary: 'Read a template' });
}
