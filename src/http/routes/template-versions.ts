import Type, { type Static } from 'typebox';
import { pinDocuments } from '../../documents/attach.ts';
import { invalidField } from '../../errors.ts';
import { closed, reference, Uuid } from '../../fields.ts';
import { checkFieldsShape } from '../../merge-fields/check-shape.ts';
import type { Runtime } from '../../runtime.ts';
import { findSender } from '../../senders/store.ts';
import { writeTexts } from '../../templates/authoring/write-texts.ts';
import { writtenOf } from '../../templates/authoring/written.ts';
import { findLayout } from '../../templates/layouts/store.ts';
import { getTemplate } from '../../templates/store.ts';
import { NewTemplateVersion, TemplateVersion } from '../../templates/version-schema.ts';
import {
  addTemplateVersion,
  getTemplateVersion,
  listTemplateVersions,
  type PreparedPublication,
  preparePublication,
  publishTemplateVersion,
  type TemplateVersionRow,
} from '../../templates/versions.ts';
import { actorOf } from '../../tenants/rights.ts';
import { getTenant } from '../../tenants/store.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import type { App } from '../validation.ts';

const templateParams = closed({ id: Uuid });
const versionParams = closed({ id: Uuid, version: Type.Integer({ minimum: 1, maximum: 1_000_000 }) });

function presentVersion(row: TemplateVersionRow) {
  const { tenantId: _tenantId, inlineImages: _inlineImages, documents, ...shown } = row;
  const { '': own, ...locales } = writtenOf(row);
  const written = { ...own, ...(Object.keys(locales).length === 0 ? {} : { locales }) };
  return { ...shown, written, documents: documents.map(({ id }) => id) };
}

/** A sender or a layout by what the body names it. @throws AppError `unprocessable`. */
async function named<Row>(
  find: (db: Runtime['db'], tenantId: string, idOrKey: string) => Promise<Row | null>,
  [runtime, tenantId]: [Runtime, string],
  what: 'sender' | 'layout',
  name: string | null | undefined,
): Promise<Row | null> {
  if (name == null) return null;
  const row = await find(runtime.db, tenantId, name);
  if (row === null) throw invalidField(`/${what}Id`, `${what}_unknown`, `there is no ${what} ${name}`);
  return row;
}

/** Everything of a new version that needs no transaction. */
async function readVersion(runtime: Runtime, tenantId: string, body: Static<typeof NewTemplateVersion>) {
  const { senderId, layoutId, documents, syntax = 'liquid', fields = null, allowUnknown = false, ...content } = body;
  if (fields !== null) checkFieldsShape(fields, '/fields');
  const { to = null, locales = {}, ...own } = content;
  const asker: [Runtime, string] = [runtime, tenantId];
  const layout = await named(findLayout, asker, 'layout', layoutId);
  const sender = await named(findSender, asker, 'sender', senderId);
  const { locale } = await getTenant(runtime.db, tenantId);
  const made = await writeTexts(runtime.reader, {
    texts: { '': own, ...locales },
    to,
    syntax,
    layout,
    language: locale,
  });
  return { ...made, senderId: sender?.id ?? null, fields, allowUnknown };
}

function addRoute(app: App, runtime: Runtime): void {
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
      const target = { tenantId: caller.tenantId, templateId: request.params.id, actor: actorOf(caller) };
      await getTemplate(runtime.db, caller.tenantId, request.params.id);
      let read: Awaited<ReturnType<typeof readVersion>>;
      return runIdempotently<{ version: number }>(runtime, request, reply, request.body, {
        async prepare() {
          read = await readVersion(runtime, caller.tenantId, request.body);
        },
        async commit(tx) {
          const documents = await pinDocuments(runtime, tx, caller.tenantId, request.body.documents ?? []);
          const { version } = await addTemplateVersion(runtime, tx, target, { ...read, documents });
          return { status: 201, answer: { version } };
        },
        present: async ({ version }) =>
          presentVersion(await getTemplateVersion(runtime.db, target.tenantId, target.templateId, version)),
        location: ({ version }) => `/v1/templates/${target.templateId}/versions/${version}`,
      });
    },
  );
}

function publishRoute(app: App, runtime: Runtime): void {
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
      errors: ['already_published', 'conflict', 'template_invalid'],
    }),
    (request, reply) => {
      const caller = callerOf(request);
      const target = { tenantId: caller.tenantId, templateId: request.params.id, actor: actorOf(caller) };
      let prepared: PreparedPublication;
      return runIdempotently<{ version: number }>(runtime, request, reply, null, {
        async prepare() {
          prepared = await preparePublication(runtime, target, request.params.version);
        },
        async commit(tx) {
          const { version } = await publishTemplateVersion(runtime, tx, target, request.params.version, prepared);
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
  addRoute(app, runtime);
  publishRoute(app, runtime);
  readRoutes(app, runtime);
}
