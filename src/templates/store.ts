import { and, arrayContains, desc, eq, lt, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { templates, templateVersions } from '../db/tables/content.ts';
import { AppError, notFound } from '../errors.ts';
import { uuidPattern } from '../fields.ts';
import { recordAudit } from '../tenants/audit.ts';
import type { Actor } from '../tenants/rights.ts';

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
  | 'notificationTypeId'
  | 'validation'
  | 'active'
>;

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
    .values({ tenantId, id: deps.newId(), ...template, createdAt: now, updatedAt: now })
    .onConflictDoNothing({ target: [templates.tenantId, templates.key] })
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
    .where(and(eq(templates.tenantId, tenantId), eq(templates.id, id)));
  if (row === undefined) throw notFound();
  return row;
}

/** A template by id or key, or null. */
export async function findTemplate(db: Db | Tx, tenantId: string, idOrKey: string): Promise<TemplateRow | null> {
  const isId = uuidPattern.test(idOrKey);
  const [row] = await db
    .select()
    .from(templates)
    .where(and(eq(templates.tenantId, tenantId), isId ? eq(templates.id, idOrKey) : eq(templates.key, idOrKey)));
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
        arrayContains(templates.documentTypes, [documentType]),
      ),
    )
    .orderBy(templates.id)
    .limit(1);
  return row ?? null;
}

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
  },
): Promise<TemplateRow[]> {
  return db
    .select()
    .from(templates)
    .where(
      and(
        eq(templates.tenantId, tenantId),
        page.before === null ? undefined : lt(templates.id, page.before),
        filter.key === undefined ? undefined : eq(templates.key, filter.key),
        filter.family === undefined ? undefined : eq(templates.family, filter.family),
        filter.category === undefined ? undefined : eq(templates.category, filter.category),
        filter.active === undefined ? undefined : eq(templates.active, filter.active),
        filter.documentType === undefined ? undefined : arrayContains(templates.documentTypes, [filter.documentType]),
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
    .set({ ...change, revision: sql`${templates.revision} + 1`, updatedAt: deps.clock.now() })
    .where(
      and(
        eq(templates.tenantId, tenantId),
        eq(templates.id, id),
        revision === null ? undefined : eq(templates.revision, revision),
      ),
    )
    .returning();
  if (row === undefined) {
    await getTemplate(tx, tenantId, id);
    throw new AppError('precondition_failed');
  }
  const fields = Object.keys(change);
  await recordAudit(deps, tx, { tenantId, actor, action: 'updated', resourceType: 'template', resourceId: id, fields });
  return row;
}

/** @throws AppError `in_use` once a message or a send request was made with it; make it inactive instead. */
export async function deleteTemplate(deps: Deps, tx: Tx, tenantId: string, actor: Actor, id: string): Promise<void> {
  await getTemplate(tx, tenantId, id);
  // Before the look at what uses it: intake holds the row until its messages are stored.
  await tx.execute(sql`select 1 from templates where tenant_id = ${tenantId} and id = ${id} for update`);
  const used = await tx.execute<{ what: string }>(sql`
    (select 'messages' as what from messages where tenant_id = ${tenantId} and template_id = ${id} limit 1)
    union all
    (select 'drafts' as what from send_requests where tenant_id = ${tenantId} and status = 'draft'
      and templates @> ${JSON.stringify([{ id }])}::jsonb limit 1)`);
  if (used.length > 0) {
    const detail = `Used by ${used.map(({ what }) => what).join(' and ')}: make it inactive instead.`;
    throw new AppError('in_use', { detail });
  }
  await tx
    .delete(templateVersions)
    .where(and(eq(templateVersions.tenantId, tenantId), eq(templateVersions.templateId, id)));
  await tx.delete(templates).where(and(eq(templates.tenantId, tenantId), eq(templates.id, id)));
  await recordAudit(deps, tx, { tenantId, actor, action: 'deleted', resourceType: 'template', resourceId: id });
}
