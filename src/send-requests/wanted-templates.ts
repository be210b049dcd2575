/** Which templates a request wants, and which of them serves each of its rows. */
import type { Db } from '../db/client.ts';
import { invalidField } from '../errors.ts';
import type { RecipientWithAddresses } from '../recipients/lookup.ts';
import { findNotificationType } from '../recipients/permissions/notification-types.ts';
import { parseRecipientReference } from '../recipients/reference.ts';
import {
  findTemplate,
  findTemplateOfDocumentType,
  findTemplatesOfNotificationType,
  type TemplateRow,
} from '../templates/store.ts';
import type { Defaults } from './defaults.ts';
import type { RowBody } from './row-parts.ts';
import type { SendRequestBody } from './schema.ts';

/** Once over the rows, by their index: in each round one template serves a row. */
export type Round<Template> = (index: number) => Template;

/** The templates of a request. */
export interface WantedTemplates {
  /** Each with the field of the request that names it. Each serves a row at least. */
  templates: [pointer: string, template: TemplateRow][];
  /** One for each template that is named, or for each channel of a kind of notice. */
  rounds: Round<TemplateRow>[];
}

/** The type of whoever a row is for: that of the record, else what the reference says; null: it names nobody. */
function typeOf({ recipient }: RowBody, byReference: ReadonlyMap<string, RecipientWithAddresses>): string | null {
  if (recipient === undefined) return null;
  const reference = parseRecipientReference(recipient);
  return byReference.get(recipient)?.type ?? (reference?.kind === 'external' ? reference.type : null);
}

/**
 * Of the templates of one channel, the oldest first, the one for people of a type: that names it, else that is for
 * all, else the oldest, which refuses them by name.
 */
function servingOf(templates: readonly TemplateRow[], type: string | null): TemplateRow | undefined {
  const own = type === null ? undefined : templates.find(({ recipientTypes }) => recipientTypes.includes(type));
  return own ?? templates.find(({ recipientTypes }) => recipientTypes.length === 0) ?? templates[0];
}

function roundOf(
  templates: readonly TemplateRow[],
  rows: readonly RowBody[],
  byReference: ReadonlyMap<string, RecipientWithAddresses>,
): { round: Round<TemplateRow>; used: Set<TemplateRow> } {
  const serving = rows.map((row) => servingOf(templates, typeOf(row, byReference)));
  const round = (index: number) => {
    const template = serving[index];
    if (template === undefined) throw new Error(`no template serves the row ${index}`);
    return template;
  };
  return { round, used: new Set(rows.map((_, index) => round(index))) };
}

/**
 * A kind of notice goes by every channel that has a template for it; whether the organisation offers the channel and
 * the person wants it is the rules' (M9).
 */
async function templatesOfNotificationType(
  db: Db,
  tenantId: string,
  idOrKey: string,
  rows: readonly RowBody[],
  byReference: ReadonlyMap<string, RecipientWithAddresses>,
): Promise<WantedTemplates> {
  const pointer = '/notificationType';
  const type = await findNotificationType(db, tenantId, idOrKey);
  if (type === null) {
    throw invalidField(pointer, 'notification_type_unknown', `there is no notification type ${idOrKey}`);
  }
  const found = await findTemplatesOfNotificationType(db, tenantId, type.id);
  if (found.length === 0) {
    const message = `no active published template has the notification type ${type.key}`;
    throw invalidField(pointer, 'template_unknown', message);
  }
  const byChannel = [...Map.groupBy(found, ({ channel }) => channel).values()];
  const made = byChannel.map((templates) => roundOf(templates, rows, byReference));
  return {
    templates: made.flatMap(({ used }) => [...used]).map((template) => [pointer, template]),
    rounds: made.map(({ round }) => round),
  };
}

async function templateOfDocumentType(db: Db, { tenant }: Defaults, documentType: string): Promise<TemplateRow> {
  const own = await findTemplateOfDocumentType(db, tenant.id, documentType);
  const template = own ?? (tenant.defaultTemplate && (await findTemplate(db, tenant.id, tenant.defaultTemplate)));
  if (template) return template;
  const message = `no template has the document type ${documentType}, and there is no default content`;
  throw invalidField('/documentType', 'template_unknown', message);
}

async function namedTemplates(
  db: Db,
  { tenant, template: known }: Defaults,
  body: SendRequestBody,
): Promise<WantedTemplates['templates']> {
  const keys = body.templates ?? [body.template ?? ''];
  const found: WantedTemplates['templates'] = [];
  for (const [index, key] of keys.entries()) {
    const pointer = body.templates === undefined ? '/template' : `/templates/${index}`;
    const template = known?.key === key ? known : await findTemplate(db, tenant.id, key);
    if (template === null) throw invalidField(pointer, 'template_unknown', `there is no template ${key}`);
    if (found.some(([, { id }]) => id === template.id)) {
      throw invalidField(pointer, 'repeated', `the template ${key} is there twice`);
    }
    found.push([pointer, template]);
  }
  return found;
}

/**
 * Finds the templates that a request names: themselves, by a document type, or by a kind of notice.
 * @param byReference the recipients that the request names.
 * @throws AppError `unprocessable` naming the field: none or several ways to name them, an unknown one, one twice.
 */
export async function findWantedTemplates(
  db: Db,
  defaults: Defaults,
  body: SendRequestBody,
  byReference: ReadonlyMap<string, RecipientWithAddresses>,
): Promise<WantedTemplates> {
  const { documentType, notificationType } = body;
  const named = [body.template, body.templates, documentType, notificationType].filter((one) => one !== undefined);
  if (named.length !== 1) {
    const message = 'give exactly one of template, templates, documentType, notificationType';
    throw invalidField('/template', 'template_choice', message);
  }
  if (body.templateVersion !== undefined && body.template === undefined) {
    throw invalidField('/templateVersion', 'template_choice', 'a version goes with template only');
  }
  if (notificationType !== undefined) {
    return templatesOfNotificationType(db, defaults.tenant.id, notificationType, body.recipients, byReference);
  }
  const templates: WantedTemplates['templates'] =
    documentType === undefined
      ? await namedTemplates(db, defaults, body)
      : [['/documentType', await templateOfDocumentType(db, defaults, documentType)]];
  return {
    templates,
    rounds: templates.map(
      ([, template]) =>
        () =>
          template,
    ),
  };
}
