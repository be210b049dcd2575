import { and, desc, eq, lt, max, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import type { StoredDocument } from '../db/tables/content.ts';
import { templates, templateVersions } from '../db/tables/templates.ts';
import { AppError, notFound } from '../errors.ts';
import type { FieldsShape } from '../merge-fields/shape.ts';
import { recordAudit } from '../tenants/audit.ts';
import { type Actor, nameOf } from '../tenants/rights.ts';
import { getTenant } from '../tenants/store.ts';
import type { MadeTexts } from './authoring/make-texts.ts';
import { writeTexts } from './authoring/write-texts.ts';
import { listTexts, writtenOf } from './authoring/written.ts';
import { forgetIncidents } from './incidents.ts';
import { getLayout, holdLayout, type LayoutRow } from './layouts/store.ts';
import type { TextReader } from './reading/reader.ts';
import type { VariableUse } from './rendering/variables.ts';
import { getTemplate, isThere, type TemplateRow } from './store.ts';
import { mustBeKnown } from './version-checks.ts';

type Deps = { clock: Clock; newId: NewId };

export type TemplateVersionRow = typeof templateVersions.$inferSelect;

/** A version as it is added: its texts are made. */
export interface NewVersion extends MadeTexts {
  senderId: string | null;
  documents: StoredDocument[];
  fields: FieldsShape | null;
  /** Keeps it although it reads fields that nothing gives. */
  allowUnknown: boolean;
}

/** A template that gets a version. */
export interface VersionTarget {
  tenantId: string;
  templateId: string;
  actor: Actor;
}

/** Locks the template's row, so that two versions added at once get two numbers. @throws AppError `not_found`. */
async function touchTemplate(deps: Deps, tx: Tx, { tenantId, templateId, actor }: VersionTarget): Promise<TemplateRow> {
  const [template] = await tx
    .update(templates)
    .set({ updatedAt: deps.clock.now(), updatedBy: nameOf(actor), revision: sql`${templates.revision} + 1` })
    .where(and(eq(templates.tenantId, tenantId), eq(templates.id, templateId), isThere))
    .returning();
  if (template === undefined) throw notFound();
  return template;
}

/** Adds a draft version. @throws AppError `not_found`; `template_invalid` for a field that nothing gives. */
export async function addTemplateVersion(
  deps: Deps,
  tx: Tx,
  target: VersionTarget,
  version: NewVersion,
): Promise<TemplateVersionRow> {
  const { tenantId, templateId, actor } = target;
  const { columns, uses, ...pinned } = version;
  if (columns.layoutId !== null) await holdLayout(tx, tenantId, columns.layoutId);
  const template = await touchTemplate(deps, tx, target);
  await mustBeKnown(tx, template, version, uses);
  const [last] = await tx
    .select({ version: max(templateVersions.version) })
    .from(templateVersions)
    .where(and(eq(templateVersions.tenantId, tenantId), eq(templateVersions.templateId, templateId)));
  const [row] = await tx
    .insert(templateVersions)
    .values({
      tenantId,
      templateId,
      version: (last?.version ?? 0) + 1,
      status: 'draft',
      ...columns,
      ...pinned,
      usedFields: uses.map(({ path }) => path),
      createdAt: deps.clock.now(),
    })
    .returning();
  if (row === undefined) throw new Error('the template version was not inserted');
  const entry = { tenantId, actor, resourceType: 'template', resourceId: templateId };
  await recordAudit(deps, tx, { ...entry, action: 'updated', fields: ['versions'] });
  return row;
}

/** @throws AppError `not_found`. */
export async function getTemplateVersion(
  db: Db | Tx,
  tenantId: string,
  templateId: string,
  version: number,
): Promise<TemplateVersionRow> {
  const [row] = await db
    .select()
    .from(templateVersions)
    .where(
      and(
        eq(templateVersions.tenantId, tenantId),
        eq(templateVersions.templateId, templateId),
        eq(templateVersions.version, version),
      ),
    );
  if (row === undefined) throw notFound();
  return row;
}

/** Newest first. */
export function listTemplateVersions(
  db: Db,
  tenantId: string,
  templateId: string,
  page: { limit: number; before: string | null },
): Promise<TemplateVersionRow[]> {
  return db
    .select()
    .from(templateVersions)
    .where(
      and(
        eq(templateVersions.tenantId, tenantId),
        eq(templateVersions.templateId, templateId),
        page.before === null ? undefined : lt(templateVersions.version, Number(page.before)),
      ),
    )
    .orderBy(desc(templateVersions.version))
    .limit(page.limit);
}

/** Compiles a version again, with a layout. @param language of its own texts. @throws AppError `template_invalid`. */
export async function remakeTexts(
  reader: TextReader,
  version: TemplateVersionRow,
  layout: LayoutRow,
  language: string,
): Promise<MadeTexts> {
  const asked = { texts: writtenOf(version), to: version.to, layout, language };
  return writeTexts(reader, { ...asked, syntax: 'liquid' });
}

/** What a publication needs that takes long to make. */
export interface PreparedPublication {
  /** The fields that the texts read. */
  uses: readonly VariableUse[];
  /** The one that they were made with. */
  layout: LayoutRow | null;
  /** The texts made anew, where the layout has changed since they were written. */
  columns: MadeTexts['columns'] | null;
}

/** Reads a draft that is to be published; one whose layout has changed looks as the layout does now. @throws AppError 404. */
export async function preparePublication(
  { db, reader }: { db: Db; reader: TextReader },
  { tenantId, templateId }: VersionTarget,
  version: number,
): Promise<PreparedPublication> {
  const draft = await getTemplateVersion(db, tenantId, templateId, version);
  const layout = draft.layoutId === null ? null : await getLayout(db, tenantId, draft.layoutId);
  if (layout === null || layout.version === draft.layoutVersion) {
    return { uses: await reader.run('listVariableUses', listTexts(draft)), layout, columns: null };
  }
  const { locale } = await getTenant(db, tenantId);
  const { columns, uses } = await remakeTexts(reader, draft, layout, locale);
  return { uses, layout, columns };
}

/**
 * Publishes a version: it becomes the template's current one and never changes again.
 * @throws AppError `not_found`, `already_published`; `conflict` when the layout changed meanwhile; `template_invalid` for a field that nothing gives any more.
 */
export async function publishTemplateVersion(
  deps: Deps,
  tx: Tx,
  target: VersionTarget,
  version: number,
  { uses, layout, columns }: PreparedPublication,
): Promise<TemplateVersionRow> {
  const { tenantId, templateId } = target;
  if (layout !== null && (await holdLayout(tx, tenantId, layout.id)).version !== layout.version) {
    throw new AppError('conflict', { detail: 'The layout was changed meanwhile: publish it again.' });
  }
  // Locked before its version, as a deletion does.
  await tx.execute(sql`select 1 from templates where tenant_id = ${tenantId} and id = ${templateId} for update`);
  const template = await getTemplate(tx, tenantId, templateId);
  const draft = await getTemplateVersion(tx, tenantId, templateId, version);
  if (draft.status === 'published') throw new AppError('already_published');
  await mustBeKnown(tx, template, draft, uses);
  return setPublished(deps, tx, target, version, { ...columns, usedFields: uses.map(({ path }) => path) });
}

/**
 * Makes a draft that was checked, under the lock of its template, the current version.
 * @param columns its texts, where they are other ones than were written.
 */
export async function setPublished(
  deps: Deps,
  tx: Tx,
  { tenantId, templateId, actor }: VersionTarget,
  version: number,
  columns: Partial<MadeTexts['columns'] & Pick<TemplateVersionRow, 'usedFields'>>,
): Promise<TemplateVersionRow> {
  const now = deps.clock.now();
  const publishedBy = nameOf(actor);
  const [row] = await tx
    .update(templateVersions)
    .set({ ...columns, status: 'published', publishedAt: now, publishedBy })
    .where(
      and(
        eq(templateVersions.tenantId, tenantId),
        eq(templateVersions.templateId, templateId),
        eq(templateVersions.version, version),
        eq(templateVersions.status, 'draft'),
      ),
    )
    .returning();
  if (row === undefined) throw new Error('the draft was published under the lock of its template');
  await forgetIncidents(tx, tenantId, templateId);
  await tx
    .update(templates)
    .set({
      currentVersion: version,
      updatedAt: now,
      updatedBy: publishedBy,
      revision: sql`${templates.revision} + 1`,
    })
    .where(and(eq(templates.tenantId, tenantId), eq(templates.id, templateId)));
  const entry = { tenantId, actor, resourceType: 'template', resourceId: templateId };
  await recordAudit(deps, tx, { ...entry, action: 'published', fields: [`version ${version}`] });
  return row;
}
