import Type from 'typebox';
import { invalidField } from '../../errors.ts';
import { closed, reference, Uuid } from '../../fields.ts';
import { checkFieldsShape } from '../../merge-fields/check-shape.ts';
import type { Runtime } from '../../runtime.ts';
import { findSender } from '../../senders/store.ts';
import { NewTemplateVersion, TemplateVersion } from '../../templates/schema.ts';
import { getTemplate } from '../../templates/store.ts';
import {
  addTemplateVersion,
  getTemplateVersion,
  listTemplateVersions,
  publishTemplateVersion,
  type TemplateVersionRow,
} from '../../templates/versions.ts';
import { actorOf } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import type { App } from '../validation.ts';

const templateParams = closed({ id: Uuid });
const versionParams = closed({ id: Uuid, version: Type.Integer({ minimum: 1, maximum: 1_000_000 }) });

function presentVersion(row: TemplateVersionRow) {
  const { tenantId: _tenantId, senderId, ...shown } = row;
  return { ...shown, sender: senderId };
}

async function senderIdOf(runtime: Runtime, tenantId: string, sender: string | null | undefined) {
  if (sender == null) return null;
  const row = await findSender(runtime.db, tenantId, sender);
  if (row === null) throw invalidField('/sender', 'sender_unknown', `there is no sender ${sender}`);
  return row.id;
}

function writeRoutes(app: App, runtime: Runtime): void {
  app.post(
    '/v1/templates/:id/versions',
    operation({
      id: 'createTemplateVersion',
      tag: 'content',
      summary: 'Add a draft version',
      access: ['templates:update'],
      params: templateParams,
      body: NewTemplateVersion,
      idempotency: 'accepted',
      answers: { 201: reference('TemplateVersion') },
      errors: ['template_invalid', 'unprocessable'],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const { sender, syntax = 'liquid', fields = null, allowUnknown = false, ...parts } = request.body;
      if (fields !== null) checkFieldsShape(fields, '/fields');
      const target = { tenantId: caller.tenantId, templateId: request.params.id, actor: actorOf(caller) };
      await getTemplate(runtime.db, caller.tenantId, request.params.id);
      const senderId = await senderIdOf(runtime, caller.tenantId, sender);
      return runIdempotently<{ version: number }>(runtime, request, reply, request.body, {
        async commit(tx) {
          const { version } = await addTemplateVersion(runtime, tx, target, {
            ...parts,
            syntax,
            senderId,
            fields,
            allowUnknown,
          });
          return { status: 201, answer: { version } };
        },
        present: async ({ version }) =>
          presentVersion(await getTemplateVersion(runtime.db, target.tenantId, target.templateId, version)),
        location: ({ version }) => `/v1/templates/${target.templateId}/versions/${version}`,
      });
    },
  );

  app.post(
    '/v1/templates/:id/versions/:version/publish',
    operation({
      id: 'publishTemplateVersion',
      tag: 'content',
      summary: 'Publish a version',
      description: 'It becomes the current one and never changes again. Messages that exist keep theirs.',
      access: ['templates:update'],
      params: versionParams,
      idempotency: 'accepted',
      answers: { 200: reference('TemplateVersion') },
      errors: ['already_published', 'template_invalid'],
    }),
    (request, reply) => {
      const caller = callerOf(request);
      const target = { tenantId: caller.tenantId, templateId: request.params.id, actor: actorOf(caller) };
      return runIdempotently<{ version: number }>(runtime, request, reply, null, {
        async commit(tx) {
          const { version } = await publishTemplateVersion(runtime, tx, target, request.params.version);
          return { status: 200, answer: { version } };
        },
        present: async ({ version }) =>
          presentVersion(await getTemplateVersion(runtime.db, target.tenantId, target.templateId, version)),
      });
    },
  );
}

function readRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/templates/:id/versions',
    operation({
      id: 'listTemplateVersions',
      tag: 'content',
      summary: 'List the versions of a template',
      access: ['templates:read'],
      params: templateParams,
      query: closed(pageQuery),
      answers: { 200: pageOf('TemplateVersion') },
      errors: ['invalid_cursor'],
    }),
    async (request) => {
      const { tenantId } = callerOf(request);
      const { id } = request.params;
      await getTemplate(runtime.db, tenantId, id);
      const list = `template-versions:${id}`;
      const page = readPage(runtime.secrets, list, request.query);
      const rows = await listTemplateVersions(runtime.db, tenantId, id, page);
      return paginate(runtime.secrets, list, page, rows, {
        position: ({ version }) => String(version),
        present: presentVersion,
      });
    },
  );

  app.get(
    '/v1/templates/:id/versions/:version',
    operation({
      id: 'getTemplateVersion',
      tag: 'content',
      summary: 'Read a version',
      access: ['templates:read'],
      params: versionParams,
      answers: { 200: reference('TemplateVersion') },
    }),
    async (request) => {
      const { tenantId } = callerOf(request);
      const { id, version } = request.params;
      await getTemplate(runtime.db, tenantId, id);
      return presentVersion(await getTemplateVersion(runtime.db, tenantId, id, version));
    },
  );
}

/** Versions of templates. What people look at before they publish one is in `template-review.ts`. */
export function templateVersionRoutes(app: App, runtime: Runtime): void {
  app.addSchema(TemplateVersion);
  writeRoutes(app, runtime);
  readRoutes(app, runtime);
}
