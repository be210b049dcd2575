import Type from 'typebox';
import { invalidField } from '../../errors.ts';
import { closed, reference, Uuid } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import { defaultSender, getSender, shownSender } from '../../senders/store.ts';
import { listTexts, listWritten, writtenOf } from '../../templates/authoring/written.ts';
import { checkTemplate } from '../../templates/check/check.ts';
import { CheckRequest, TemplateCheck } from '../../templates/check/schema.ts';
import { readKnownFields } from '../../templates/fields/known.ts';
import { previewTemplate, type Sample } from '../../templates/preview.ts';
import { PreviewRequest, TemplatePreview } from '../../templates/schema.ts';
import { getTemplate, type TemplateRow } from '../../templates/store.ts';
import { addressParts, constantsFor, localeOf, textsFor } from '../../templates/version-content.ts';
import { VersionDiff } from '../../templates/version-schema.ts';
import { getTemplateVersion, listTemplateVersions, type TemplateVersionRow } from '../../templates/versions.ts';
import { getTenant, type TenantRow } from '../../tenants/store.ts';
import { callerOf } from '../auth.ts';
import { operation } from '../openapi.ts';
import type { App } from '../validation.ts';

const templateParams = closed({ id: Uuid });
const versionNumber = Type.Integer({ minimum: 1, maximum: 1_000_000 });

/** A template, and the version that was asked for, else the published one, else the newest. @throws AppError `not_found`, `unprocessable`. */
async function versionOf(
  runtime: Runtime,
  tenantId: string,
  id: string,
  asked: number | undefined,
): Promise<{ template: TemplateRow; version: TemplateVersionRow }> {
  const template = await getTemplate(runtime.db, tenantId, id);
  const wanted = asked ?? template.currentVersion;
  if (wanted !== null) return { template, version: await getTemplateVersion(runtime.db, tenantId, id, wanted) };
  const [newest] = await listTemplateVersions(runtime.db, tenantId, id, { limit: 1, before: null });
  if (newest === undefined) throw invalidField('/version', 'version_missing', 'the template has no version yet');
  return { template, version: newest };
}

/** What goes to another thread. */
const textsOf = ({ version, subject, text, html }: TemplateVersionRow) => ({ version, subject, text, html });

async function sampleOf(
  runtime: Runtime,
  { id: tenantId, timezone, locale: own, constants }: TenantRow,
  version: TemplateVersionRow,
  { data, locale: wanted }: { data: Record<string, unknown>; locale?: string },
): Promise<Sample> {
  const { senderId } = version;
  const sender =
    senderId === null ? await defaultSender(runtime.db, tenantId) : await getSender(runtime.db, tenantId, senderId);
  return {
    data: { ...constantsFor(version, constants), ...data },
    clockAt: runtime.clock.now(),
    timezone,
    locale: localeOf(version, wanted ?? null, own),
    sender: sender === null ? null : shownSender(sender),
  };
}

/** What the expression of the address gives; null where there is none. @throws AppError as previewing does. */
async function addressOf(runtime: Runtime, version: TemplateVersionRow, sample: Sample): Promise<string | null> {
  const expression = addressParts(version);
  if (expression === null) return null;
  return (await previewTemplate(runtime, expression, sample)).subject;
}

function previewRoute(app: App, runtime: Runtime): void {
  app.post(
    '/v1/templates/:id/preview',
    operation({
      id: 'previewTemplate',
      tag: 'content',
      summary: 'Render a template with sample data',
      description: 'Nothing is kept.',
      access: ['templates:read'],
      params: templateParams,
      body: PreviewRequest,
      answers: { 200: reference('TemplatePreview') },
      errors: ['template_invalid', 'unprocessable'],
    }),
    async (request) => {
      const { tenantId } = callerOf(request);
      const { id } = request.params;
      const { version } = await versionOf(runtime, tenantId, id, request.body.version);
      const sample = await sampleOf(runtime, await getTenant(runtime.db, tenantId), version, request.body);
      const { locale } = sample;
      const preview = await previewTemplate(runtime, textsFor(version, locale), sample);
      return { version: version.version, locale, to: await addressOf(runtime, version, sample), ...preview };
    },
  );
}

function checkRoute(app: App, runtime: Runtime): void {
  app.post(
    '/v1/templates/:id/check',
    operation({
      id: 'checkTemplate',
      tag: 'content',
      summary: 'Look for what is wrong with a template',
      description:
        'Personal data typed into the texts (J14), markup that mail programs refuse or that can do harm, fields that neither the template nor a list of fields gives, or that a sample does not give. Nothing is kept.',
      access: ['templates:read'],
      params: templateParams,
      body: CheckRequest,
      answers: { 200: reference('TemplateCheck') },
      errors: ['template_invalid', 'unprocessable'],
    }),
    async (request) => {
      const { tenantId } = callerOf(request);
      const { data, version: asked } = request.body;
      const { template, version } = await versionOf(runtime, tenantId, request.params.id, asked);
      const tenant = await getTenant(runtime.db, tenantId);
      const sample = await sampleOf(runtime, tenant, version, { data: data ?? {} });
      const known = await readKnownFields(runtime.db, tenantId, template, version.fields);
      const checked = {
        ...textsFor(version, sample.locale),
        written: listWritten(writtenOf(version), version.to),
        address: addressParts(version),
        uses: await runtime.reader.run('listVariableUses', listTexts(version)),
        known,
        declared: version.fields,
        constants: tenant.constants,
      };
      const problems = await checkTemplate(runtime, checked, data === undefined ? null : sample);
      return { version: version.version, problems };
    },
  );
}

function diffRoute(app: App, runtime: Runtime): void {
  app.get(
    '/v1/templates/:id/versions/:version/diff',
    operation({
      id: 'diffTemplateVersions',
      tag: 'content',
      summary: 'Compare two versions, line by line',
      access: ['templates:read'],
      params: closed({ id: Uuid, version: versionNumber }),
      query: closed({
        from: Type.Optional(
          Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'The older one. Default: the one before.' }),
        ),
      }),
      answers: { 200: reference('VersionDiff') },
      errors: ['template_invalid'],
    }),
    async (request) => {
      const { tenantId } = callerOf(request);
      const { id, version } = request.params;
      await getTemplate(runtime.db, tenantId, id);
      const after = await getTemplateVersion(runtime.db, tenantId, id, version);
      const from = request.query.from ?? version - 1;
      const before = from === 0 ? null : await getTemplateVersion(runtime.db, tenantId, id, from);
      return runtime.reader.run('diffVersions', before && textsOf(before), textsOf(after));
    },
  );
}

/** What people look at before a version is published, or used. */
export function templateReviewRoutes(app: App, runtime: Runtime): void {
  for (const component of [TemplatePreview, TemplateCheck, VersionDiff]) app.addSchema(component);
  previewRoute(app, runtime);
  checkRoute(app, runtime);
  diffRoute(app, runtime);
}
