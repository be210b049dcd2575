import Type from 'typebox';
import { invalidField } from '../../errors.ts';
import { findExtraction } from '../../extractions/store.ts';
import { key, Uuid, words } from '../../fields.ts';
import { findNotificationType } from '../../recipients/permissions/notification-types.ts';
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

type Change = Partial<Omit<TemplateFields, 'notificationTypeId' | 'extractionId'>> & {
  notificationType?: string | null;
  extraction?: string | null;
};

/** @throws AppError `unprocessable` for an unknown one. */
async function extractionOf(tx: EffectTx, tenantId: string, named: string | null): Promise<string | null> {
  if (named === null) return null;
  const extraction = await findExtraction(tx, tenantId, named, { hold: true });
  if (extraction !== null) return extraction.id;
  throw invalidField('/extraction', 'extraction_unknown', `there is no extraction ${named}`);
}

/** The change as the store takes it. @throws AppError when it names an unknown notification type, or needs a right. */
async function fieldsOf(
  tx: EffectTx,
  caller: Caller,
  change: Change,
  before: TemplateRow | null,
): Promise<Partial<TemplateFields>> {
  const { notificationType, extraction, ...rest } = change;
  const extractionId = extraction === undefined ? undefined : await extractionOf(tx, caller.tenantId, extraction);
  // What it gives goes into every mail: whoever names it must be one who may see it (M1).
  if (extractionId != null && extractionId !== before?.extractionId) demand(caller, 'extractions:read');
  const fields = { ...rest, ...(extractionId === undefined ? {} : { extractionId }) };
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
  extractionId: null,
  validation: null,
  consentPurpose: null,
  addressPolicy: null,
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
  counters: Type.Optional(
    Type.Boolean({ description: 'Counts their messages, too: every one there is. Default: no.' }),
  ),
  extraction: Type.Optional(Type.String({ ...Uuid, description: 'Those that name this extraction.' })),
};

/** `counters`: null where nobody asked. */
type ShownTemplate = TemplateRow & { counters: TemplateCounters | null };

async function withCounters(
  { db }: Runtime,
  tenantId: string,
  rows: readonly TemplateRow[],
): Promise<Map<string, ShownTemplate>> {
  const ids = rows.map(({ id }) => id);
  const counters = await countByTemplate(db, tenantId, ids);
  return new Map(rows.map((row) => [row.id, { ...row, counters: counters.get(row.id) ?? null }]));
}

async function oneWithCounters(runtime: Runtime, row: TemplateRow): Promise<ShownTemplate> {
  const shown = await withCounters(runtime, row.tenantId, [row]);
  return shown.get(row.id) ?? { ...row, counters: null };
}

/** Templates. Their versions are in `template-versions.ts`. */
export function templateRoutes(app: App, runtime: Runtime): void {
  app.addSchema(Template);
  const templates: Resource<ShownTemplate> = {
    name: 'templates',
    component: 'Template',
    tag: 'content',
    get: async (tenantId, id) => oneWithCounters(runtime, await getTemplate(runtime.db, tenantId, id)),
    complete: (row) => oneWithCounters(runtime, row),
    present({
      tenantId: _tenantId,
      revision: _revision,
      deletedAt: _deletedAt,
      notificationTypeId,
      extractionId,
      ...shown
    }) {
      return { ...shown, notificationType: notificationTypeId, extraction: extractionId };
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
      return { ...(await updateTemplate(runtime, tx, target, change)), counters: null };
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
    async list(tenantId, page, { counters = false, extraction, ...query }) {
      const named = extraction === undefined ? {} : { extractionId: extraction };
      const rows = await listTemplates(runtime.db, tenantId, page, { ...query, ...named });
      if (!counters) return rows.map((row) => ({ ...row, counters: null }));
      return [...(await withCounters(runtime, tenantId, rows)).values()];
    },
  });
  readRoute(app, templates, { summary: 'Read a template' });
}
