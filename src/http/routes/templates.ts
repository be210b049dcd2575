import Type from 'typebox';
import { invalidField } from '../../errors.ts';
import { closed, key, reference, Uuid, words } from '../../fields.ts';
import { findNotificationType } from '../../recipients/notification-types.ts';
import type { Runtime } from '../../runtime.ts';
import { NewTemplate, Template, TemplateChange } from '../../templates/schema.ts';
import {
  createTemplate,
  deleteTemplate,
  getTemplate,
  listTemplates,
  type TemplateFields,
  type TemplateRow,
  updateTemplate,
} from '../../templates/store.ts';
import { actorOf, type Caller, demand } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import { expectedRevision, shown } from '../precondition.ts';
import type { App } from '../validation.ts';

const params = closed({ id: Uuid });

function presentTemplate(row: TemplateRow) {
  const { tenantId: _tenantId, revision: _revision, notificationTypeId, ...shown } = row;
  return { ...shown, notificationType: notificationTypeId };
}

type Change = Partial<Omit<TemplateFields, 'notificationTypeId'>> & { notificationType?: string | null };

/** The change as the store takes it. @throws AppError when it names an unknown notification type, or needs a right. */
async function fieldsOf(
  runtime: Runtime,
  caller: Caller,
  change: Change,
  before: TemplateRow | null,
): Promise<Partial<TemplateFields>> {
  const { notificationType, ...fields } = change;
  const loosened = before?.validation === 'manual' && fields.validation === null;
  if (fields.validation === 'automatic' || loosened) demand(caller, 'messages:validate');
  if (notificationType === undefined) return fields;
  if (notificationType === null) return { ...fields, notificationTypeId: null };
  const type = await findNotificationType(runtime.db, caller.tenantId, notificationType);
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
  notificationTypeId: null,
  validation: null,
  active: true,
};

function writeRoutes(app: App, runtime: Runtime): void {
  app.post(
    '/v1/templates',
    operation({
      id: 'createTemplate',
      tag: 'content',
      summary: 'Create a template',
      description: 'It can be used once a version is published.',
      access: ['templates:create'],
      body: NewTemplate,
      idempotency: 'accepted',
      answers: { 201: reference('Template') },
      errors: ['conflict', 'unprocessable'],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const { key: name, title, channel, ...rest } = request.body;
      const fields = await fieldsOf(runtime, caller, rest, null);
      return runIdempotently<{ id: string }>(runtime, request, reply, request.body, {
        async commit(tx) {
          const template = { ...defaults, ...fields, key: name, title, channel };
          const { id } = await createTemplate(runtime, tx, caller.tenantId, actorOf(caller), template);
          return { status: 201, answer: { id } };
        },
        present: async ({ id }) => shown(reply, await getTemplate(runtime.db, caller.tenantId, id), presentTemplate),
        location: ({ id }) => `/v1/templates/${id}`,
      });
    },
  );

  app.patch(
    '/v1/templates/:id',
    operation({
      id: 'updateTemplate',
      tag: 'content',
      summary: 'Change a template',
      access: ['templates:update'],
      params,
      body: TemplateChange,
      conditional: true,
      answers: { 200: reference('Template') },
      errors: ['unprocessable'],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const revision = expectedRevision(request);
      const target = { tenantId: caller.tenantId, id: request.params.id, actor: actorOf(caller), revision };
      const before = await getTemplate(runtime.db, caller.tenantId, request.params.id);
      const fields = await fieldsOf(runtime, caller, request.body, before);
      const row = await runtime.db.transaction((tx) => updateTemplate(runtime, tx, target, fields));
      return shown(reply, row, presentTemplate);
    },
  );
}

function deleteRoute(app: App, runtime: Runtime): void {
  app.delete(
    '/v1/templates/:id',
    operation({
      id: 'deleteTemplate',
      tag: 'content',
      summary: 'Delete a template that was never used',
      access: ['templates:update'],
      params,
      answers: { 204: Type.Null() },
      errors: ['in_use'],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      await runtime.db.transaction((tx) => deleteTemplate(runtime, tx, caller.tenantId, actorOf(caller), id));
      return reply.code(204).send(null);
    },
  );
}

function readRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/templates',
    operation({
      id: 'listTemplates',
      tag: 'content',
      summary: 'List templates',
      access: ['templates:read'],
      query: closed({
        ...pageQuery,
        key: Type.Optional(key({ description: 'The one with this key.' })),
        family: Type.Optional(Type.String({ maxLength: 100, description: 'Those of this family.' })),
        category: Type.Optional(
          words(['transactional', 'service', 'marketing'], { description: 'Those of this category.' }),
        ),
        active: Type.Optional(Type.Boolean({ description: 'Those that can be used, or cannot.' })),
        documentType: Type.Optional(key({ description: 'Those that are the content of this document type.' })),
      }),
      answers: { 200: pageOf('Template') },
      errors: ['invalid_cursor'],
    }),
    async (request) => {
      const page = readPage(runtime.secrets, 'templates', request.query);
      const rows = await listTemplates(runtime.db, callerOf(request).tenantId, page, request.query);
      return paginate(runtime.secrets, 'templates', page, rows, { position: ({ id }) => id, present: presentTemplate });
    },
  );

  app.get(
    '/v1/templates/:id',
    operation({
      id: 'getTemplate',
      tag: 'content',
      summary: 'Read a template',
      access: ['templates:read'],
      params,
      answers: { 200: reference('Template') },
    }),
    async (request, reply) => {
      const row = await getTemplate(runtime.db, callerOf(request).tenantId, request.params.id);
      return shown(reply, row, presentTemplate);
    },
  );
}

/** Templates. */
export function templateRoutes(app: App, runtime: Runtime): void {
  app.addSchema(Template);
  writeRoutes(app, runtime);
  deleteRoute(app, runtime);
  readRoutes(app, runtime);
}
