import { and, arrayContains, desc, eq, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { templates, templateVersions } from '../db/tables/templates.ts';
import { AppError, notFound } from '../errors.ts';
import { recordAudit } from '../tenants/audit.ts';
import { type Actor, nameOf } from '../tenants/rights.ts';
import { uuidPattern } from '../text-patterns.ts';
import { forgetIncidents } from './incidents.ts';

type Deps = { clock: Clock; newId: NewId };

export type TemplateRow = typeof templates.$inferSelect;

/** What people may change of a template. */
export type TemplateFields = Pick<
  TemplateRow,
  | 'title'
  | 'description'
  | 'family'
  | 'category'
  | 'recipientTypes'
  | 'documentTypes'
  | 'pages'
  | 'trigger'
  | 'notificationTypeId'
  | 'extractionId'
  | 'validation'
  | 'consentPurpose'
  | 'addressPolicy'
  | 'resendAllowed'
  | 'active'
>;

/** What is deleted is kept for the history only. */
export const isThere: SQL = isNull(templates.deletedAt);

/** Joins a template with its current version. */
export const isCurrentVersion = and(
  eq(templateVersions.tenantId, templates.tenantId),
  eq(templateVersions.templateId, templates.id),
  eq(templateVersions.version, templates.currentVersion),
);

/** Adds a template without any version. @throws AppError `conflict` when the key is taken. */
export async function createTemplate(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  template: TemplateFields & Pick<TemplateRow, 'key' | 'channel'>,
): Promise<TemplateRow> {
  const now = deps.clock.now();
  const [row] = await tx
    .insert(templates)
    .values({
      ...template,
      tenantId,
      id: deps.newId(),
      createdBy: nameOf(actor),
      updatedBy: nameOf(actor),
      createdAt: now,
      updatedAt: now,
    })
    .onConflictDoNothing({ target: [templates.tenantId, templates.key], where: isThere })
    .returning();
  if (row === undefined) throw new AppError('conflict', { detail: `A template has the key ${template.key} already.` });
  await recordAudit(deps, tx, { tenantId, actor, action: 'created', resourceType: 'template', resourceId: row.id });
  return row;
}

/** @throws AppError `not_found`. */
export async function getTemplate(db: Db | Tx, tenantId: string, id: string): Promise<TemplateRow> {
  const [row] = await db
    .select()
    .from(templates)
    .where(and(eq(templates.tenantId, tenantId), eq(templates.id, id), isThere));
  if (row === undefined) throw notFound();
  return row;
}

/** A template by id or key, or null. */
export async function findTemplate(db: Db | Tx, tenantId: string, idOrKey: string): Promise<TemplateRow | null> {
  const isId = uuidPattern.test(idOrKey);
  const [row] = await db
    .select()
    .from(templates)
    .where(
      and(eq(templates.tenantId, tenantId), isThere, isId ? eq(templates.id, idOrKey) : eq(templates.key, idOrKey)),
    );
  return row ?? null;
}

/** The active template of a document type, or null. The oldest, where several claim it. */
export async function findTemplateOfDocumentType(
  db: Db | Tx,
  tenantId: string,
  documentType: string,
): Promise<TemplateRow | null> {
  const [row] = await db
    .select()
    .from(templates)
    .where(
      and(
        eq(templates.tenantId, tenantId),
        eq(templates.active, true),
        isThere,
        arrayContains(templates.documentTypes, [documentType]),
      ),
    )
    .orderBy(templates.id)
    .limit(1);
  return row ?? null;
}

/** The active published templates of a kind of notice, by channel, the oldest first (M9). */
export async function findTemplatesOfNotificationType(
  db: Db | Tx,
  tenantId: string,
  notificationTypeId: string,
): Promise<TemplateRow[]> {
  return db
    .select()
    .from(templates)
    .where(
      and(
        eq(templates.tenantId, tenantId),
        eq(templates.active, true),
        isThere,
        isNotNull(templates.currentVersion),
        eq(templates.notificationTypeId, notificationTypeId),
      ),
    )
    .orderBy(templates.channel, templates.id);
}

/** Those that hold the value, and those that hold none: these serve everywhere. */
const holdsOrAny = (column: typeof templates.pages | typeof templates.recipientTypes, value: string) =>
  or(arrayContains(column, [value]), eq(column, []));

/** Newest first. */
export function listTemplates(
  db: Db,
  tenantId: string,
  page: { limit: number; before: string | null },
  filter: {
    key?: string;
    family?: string;
    category?: TemplateRow['category'];
    active?: boolean;
    documentType?: string;
    recipientType?: string;
    page?: string;
    trigger?: NonNullable<TemplateRow['trigger']>;
    extractionId?: string;
  },
): Promise<TemplateRow[]> {
  return db
    .select()
    .from(templates)
    .where(
      and(
        eq(templates.tenantId, tenantId),
        isThere,
        page.before === null ? undefined : lt(templates.id, page.before),
        filter.key === undefined ? undefined : eq(templates.key, filter.key),
        filter.family === undefined ? undefined : eq(templates.family, filter.family),
        filter.category === undefined ? undefined : eq(templates.category, filter.category),
        filter.active === undefined ? undefined : eq(templates.active, filter.active),
        filter.documentType === undefined ? undefined : arrayContains(templates.documentTypes, [filter.documentType]),
        filter.recipientType === undefined ? undefined : holdsOrAny(templates.recipientTypes, filter.recipientType),
        filter.page === undefined ? undefined : holdsOrAny(templates.pages, filter.page),
        filter.trigger === undefined ? undefined : eq(templates.trigger, filter.trigger),
        filter.extractionId === undefined ? undefined : eq(templates.extractionId, filter.extractionId),
      ),
    )
    .orderBy(desc(templates.id))
    .limit(page.limit);
}

/** Changes a template; its versions and the messages made with it stay as they are. @throws AppError 404, 412. */
export async function updateTemplate(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor; revision: number | null },
  change: Partial<TemplateFields>,
): Promise<TemplateRow> {
  const { tenantId, id, actor, revision } = target;
  const [row] = await tx
    .update(templates)
    .set({
      ...change,
      ...(change.active === true ? { disabledReason: null } : {}),
      revision: sql`${templates.revision} + 1`,
      updatedBy: nameOf(actor),
      updatedAt: deps.clock.now(),
    })
    .where(
      and(
        eq(templates.tenantId, tenantId),
        eq(templates.id, id),
        isThere,
        revision === null ? undefined : eq(templates.revision, revision),
      ),
    )
    .returning();
  if (row === undefined) {
    await getTemplate(tx, tenantId, id);
    throw new AppError('precondition_failed');
  }
  if (change.active === true) await forgetIncidents(tx, tenantId, id);
  const fields = Object.keys(change);
  await recordAudit(deps, tx, { tenantId, actor, action: 'updated', resourceType: 'template', resourceId: id, fields });
  return row;
}
