/** A layout that changes: the templates that use it look as it does now. */
import { and, eq, isNotNull } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Tx } from '../../db/client.ts';
import { templates, templateVersions } from '../../db/tables/content.ts';
import { AppError } from '../../errors.ts';
import type { Actor } from '../../tenants/rights.ts';
import type { TextReader } from '../reading/reader.ts';
import { isThere } from '../store.ts';
import { addTemplateVersion, publishTemplateVersion, remakeTexts, type TemplateVersionRow } from '../versions.ts';
import { getLayout, type LayoutFields, type LayoutRow, updateLayout } from './store.ts';

type Deps = { clock: Clock; newId: NewId; reader: TextReader };

/** Compiling them takes some tens of milliseconds each, and people wait for the answer. */
const templatesAtMost = 300;

/** The current versions of templates that have a layout. */
async function versionsWith(
  tx: Tx,
  { tenantId, id }: LayoutRow,
): Promise<{ key: string; version: TemplateVersionRow }[]> {
  return tx
    .select({ key: templates.key, version: templateVersions })
    .from(templates)
    .innerJoin(
      templateVersions,
      and(
        eq(templateVersions.tenantId, templates.tenantId),
        eq(templateVersions.templateId, templates.id),
        eq(templateVersions.version, templates.currentVersion),
      ),
    )
    .where(
      and(
        eq(templates.tenantId, tenantId),
        isThere,
        isNotNull(templates.currentVersion),
        eq(templateVersions.layoutId, id),
      ),
    )
    .orderBy(templates.id)
    .limit(templatesAtMost + 1);
}

/** The fault of one template, told with its key. */
function told(error: unknown, key: string): unknown {
  if (!(error instanceof AppError) || error.code !== 'template_invalid') return error;
  const items = error.items.map((item) => ({ ...item, message: `${key}: ${item.message}` }));
  return new AppError('template_invalid', { detail: `${key}: ${error.detail ?? ''}`, items, cause: error });
}

/**
 * Changes a layout. Each template whose current version uses it gets a new version, published at once: what was published
 * never changes, and messages that wait keep what was approved.
 * @throws AppError `not_found`, `precondition_failed`; `template_invalid` with the key of a template that cannot have it:
 * then nothing has changed; `unprocessable` where too many use it.
 */
export async function changeLayout(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor; revision: number | null },
  change: Partial<LayoutFields>,
): Promise<LayoutRow> {
  const { tenantId, actor } = target;
  const before = await getLayout(tx, tenantId, target.id);
  const layout = await updateLayout(deps, tx, target, change);
  if (layout.version === before.version) return layout;
  const users = await versionsWith(tx, layout);
  if (users.length > templatesAtMost) {
    throw new AppError('unprocessable', {
      detail: `More than ${templatesAtMost} templates use it: make another layout.`,
    });
  }
  for (const { key, version } of users) {
    const { senderId, documents, fields, allowUnknown, templateId } = version;
    try {
      const made = await remakeTexts(deps.reader, tx, version, layout);
      const pinned = { senderId, documents, fields, allowUnknown };
      const added = await addTemplateVersion(deps, tx, { tenantId, templateId, actor }, { ...made, ...pinned });
      await publishTemplateVersion(deps, tx, { tenantId, templateId, actor }, added.version, made.uses);
    } catch (error) {
      throw told(error, key);
    }
  }
  return layout;
}
