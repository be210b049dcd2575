import Type from 'typebox';
import { invalidField } from '../../errors.ts';
import { closed, reference, Uuid } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import { type FirstLook, type LookedFor, lookFirst } from '../../send-requests/first-look.ts';
import { defaultSender, findOwnSender, getSender, type SenderRow, shownSender } from '../../senders/store.ts';
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
import { type Caller, demand } from '../../tenants/rights.ts';
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

/** What a message of the caller would leave from: the version's sender, else the user's own (M2), else the default. */
async function senderOf(
  runtime: Runtime,
  { tenantId, user }: Caller,
  { senderId }: TemplateVersionRow,
): Promise<SenderRow | null> {
  if (senderId !== null) return getSender(runtime.db, tenantId, senderId);
  const own = user === null ? null : await findOwnSender(runtime.db, tenantId, user);
  return own ?? defaultSender(runtime.db, tenantId);
}

async function sampleOf(
  runtime: Runtime,
  caller: Caller,
  { timezone, locale: own, constants }: TenantRow,
  version: TemplateVersionRow,
  { data, locale: wanted }: { data: Record<string, unknown>; locale?: string | undefined },
): Promise<Sample> {
  const sender = await senderOf(runtime, caller, version);
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

/** @throws AppError `forbidden`; `unprocessable` where there is no such recipient or contact. */
async function lookFor(
  runtime: Runtime,
  caller: Caller,
  tenant: TenantRow,
  template: TemplateRow,
  lookedFor: LookedFor,
): Promise<FirstLook> {
  demand(caller, 'recipients:read');
  const look = await lookFirst(runtime, tenant, template, lookedFor);
  if (!('unknown' in look)) return look;
  throw invalidField(`/${look.unknown}`, 'recipient_unknown', `there is no such ${look.unknown}`);
}

function presentSender(sender: SenderRow | null) {
  if (sender === null) return null;
  const { id, key, fromName, fromAddress } = sender;
  return { id, key, fromName, fromAddress };
}

async function defaultsOf(look: FirstLook, expressed: string | null, sender: SenderRow | null) {
  const [first, ...also] = await look.targets(expressed, sender);
  if (first === undefined) throw new Error('a look has no target');
  return { ...first, also, sender: presentSender(sender) };
}

function previewRoute(app: App, runtime: Runtime): void {
  app.post(
    '/v1/templates/:id/preview',
    operation({
      id: 'previewTemplate',
      tag: 'content',
      summary: 'Render a template with sample data',
      description:
        'Nothing is kept. With a `recipient`: as it would be for them, whom it would go to, from whom, and what stands against it (M7).',
      access: ['templates:read'],
      params: templateParams,
      body: PreviewRequest,
      answers: { 200: reference('TemplatePreview') },
      errors: ['template_invalid', 'unprocessable'],
    }),
    async (request) => {
      const caller = callerOf(request);
      const { data, locale: wanted, recipient, contact, version: asked } = request.body;
      const { template, version } = await versionOf(runtime, caller.tenantId, request.params.id, asked);
      const tenant = await getTenant(runtime.db, caller.tenantId);
      const look =
        recipient === undefined ? null : await lookFor(runtime, caller, tenant, template, { recipient, contact });
      const sample = await sampleOf(runtime, caller, tenant, version, {
        data: { ...look?.data, ...data },
        locale: wanted ?? look?.localeOf(addressParts(version) !== null) ?? undefined,
      });
      const { locale } = sample;
      const preview = await previewTemplate(runtime, textsFor(version, locale), sample);
      const to = await addressOf(runtime, version, sample);
      const sender = await senderOf(runtime, caller, version);
      const defaults = look === null ? null : await defaultsOf(look, to, sender);
      return { version: version.version, locale, to, defaults, ...preview };
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
      const caller = callerOf(request);
      const { tenantId } = caller;
      const { data, version: asked } = request.body;
      const { template, version } = await versionOf(runtime, tenantId, request.params.id, asked);
      const tenant = await getTenant(runtime.db, tenantId);
      const sample = await sampleOf(runtime, caller, tenant, version, { data: data ?? {} });
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
