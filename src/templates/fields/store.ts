import { and, desc, eq, lt, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import { extractions, fieldLists } from '../../db/tables/merge-fields.ts';
import { templates, templateVersions } from '../../db/tables/templates.ts';
import { AppError, notFound } from '../../errors.ts';
import type { FieldsShape } from '../../merge-fields/shape.ts';
import { recordAudit } from '../../tenants/audit.ts';
import type { Actor } from '../../tenants/rights.ts';
import { getTenant } from '../../tenants/store.ts';
import { isCurrentVersion, isThere, type TemplateRow } from '../store.ts';

type Deps = { clock: Clock; newId: NewId };

export type FieldListRow = typeof fieldLists.$inferSelect;

/** What people may change of a list. */
export type FieldListFields = Pick<FieldListRow, 'title' | 'trigger' | 'pages' | 'fields'>;

/** Adds a list whose shape was checked. @throws AppError `conflict` when the key is taken. */
export async function createFieldList(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  list: FieldListFields & { key: string },
): Promise<FieldListRow> {
  const now = deps.clock.now();
  const [row] = await tx
    .insert(fieldLists)
    .values({ tenantId, id: deps.newId(), ...list, createdAt: now, updatedAt: now })
    .onConflictDoNothing({ target: [fieldLists.tenantId, fieldLists.key] })
    .returning();
  if (row === undefined)
    throw new AppError('conflict', { detail: `A list of fields has the key ${list.key} already.` });
  await recordAudit(deps, tx, { tenantId, actor, action: 'created', resourceType: 'field-list', resourceId: row.id });
  return row;
}

/** @throws AppError `not_found`. */
export async function getFieldList(db: Db | Tx, tenantId: string, id: string): Promise<FieldListRow> {
  const [row] = await db
    .select()
    .from(fieldLists)
    .where(and(eq(fieldLists.tenantId, tenantId), eq(fieldLists.id, id)));
  if (row === undefined) throw notFound();
  return row;
}

/** Newest first. */
export function listFieldLists(
  db: Db | Tx,
  tenantId: string,
  page: { limit: number; before: string | null },
  filter: { key?: string },
): Promise<FieldListRow[]> {
  return db
    .select()
    .from(fieldLists)
    .where(
      and(
        eq(fieldLists.tenantId, tenantId),
        page.before === null ? undefined : lt(fieldLists.id, page.before),
        filter.key === undefined ? undefined : eq(fieldLists.key, filter.key),
      ),
    )
    .orderBy(desc(fieldLists.id))
    .limit(page.limit);
}

/** How many lists a tenant has. */
export function countFieldLists(db: Db | Tx, tenantId: string): Promise<number> {
  return db.$count(fieldLists, eq(fieldLists.tenantId, tenantId));
}

/** Where fields are used: what a template is about, the pages it is on, its extraction. Nothing said: anywhere. */
export type FieldUsage = Pick<TemplateRow, 'trigger' | 'pages' | 'extractionId'>;

/** What gives fields: a list of them, or an extraction. */
export interface FieldSource {
  kind: 'list' | 'extraction' | 'constants';
  id: string;
  key: string;
  trigger: FieldListRow['trigger'];
  pages: string[];
  /** Null: it does not say which. */
  fields: FieldsShape | null;
}

/** The constants of a tenant, which are there for every template. None: it has none. */
async function constantsOf(db: Db | Tx, tenantId: string): Promise<FieldSource[]> {
  const { constants } = await getTenant(db, tenantId);
  const properties = Object.fromEntries(
    Object.entries(constants).map(([name, value]) => [name, { type: 'string' as const, examples: [value] }]),
  );
  if (Object.keys(properties).length === 0) return [];
  const fields = { type: 'object' as const, properties };
  return [{ kind: 'constants', id: tenantId, key: 'constants', trigger: null, pages: [], fields }];
}

/** Everything that gives fields in a tenant, lists first, by key: there is little (`keep.ts`). */
export async function allFieldSources(db: Db | Tx, tenantId: string): Promise<FieldSource[]> {
  const { id, key, trigger, pages, fields } = fieldLists;
  const ofLists = db
    .select({ id, key, trigger, pages, fields })
    .from(fieldLists)
    .where(eq(fieldLists.tenantId, tenantId))
    .orderBy(fieldLists.key);
  const ofExtractions = db
    .select({
      id: extractions.id,
      key: extractions.key,
      trigger: extractions.trigger,
      pages: extractions.pages,
      fields: extractions.fields,
    })
    .from(extractions)
    .where(eq(extractions.tenantId, tenantId))
    .orderBy(extractions.key);
  return [
    ...(await ofLists).map((row) => ({ kind: 'list' as const, ...row })),
    ...(await ofExtractions).map((row) => ({ kind: 'extraction' as const, ...row })),
    ...(await constantsOf(db, tenantId)),
  ];
}

/** Changes a list. @throws AppError 404, 412. */
export async function updateFieldList(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor; revision: number | null },
  change: Partial<FieldListFields>,
): Promise<FieldListRow> {
  const { tenantId, id, actor, revision } = target;
  const [row] = await tx
    .update(fieldLists)
    .set({ ...change, revision: sql`${fieldLists.revision} + 1`, updatedAt: deps.clock.now() })
    .where(
      and(
        eq(fieldLists.tenantId, tenantId),
        eq(fieldLists.id, id),
        revision === null ? undefined : eq(fieldLists.revision, revision),
      ),
    )
    .returning();
  if (row === undefined) {
    await getFieldList(tx, tenantId, id);
    throw new AppError('precondition_failed');
  }
  const entry = { tenantId, actor, resourceType: 'field-list', resourceId: id };
  await recordAudit(deps, tx, { ...entry, action: 'updated', fields: Object.keys(change) });
  return row;
}

/** Deletes a list, whoever uses its fields: see `broken.ts` for who that is. @throws AppError `not_found`. */
export async function removeFieldList(deps: Deps, tx: Tx, tenantId: string, actor: Actor, id: string): Promise<void> {
  await getFieldList(tx, tenantId, id);
  await tx.delete(fieldLists).where(and(eq(fieldLists.tenantId, tenantId), eq(fieldLists.id, id)));
  await recordAudit(deps, tx, { tenantId, actor, action: 'deleted', resourceType: 'field-list', resourceId: id });
}

/** The published texts of a tenant, with what their templates are about. */
export function publishedUses(db: Db | Tx, tenantId: string) {
  return db
    .select({
      id: templates.id,
      key: templates.key,
      trigger: templates.trigger,
      pages: templates.pages,
      extractionId: templates.extractionId,
      version: templateVersions.version,
      usedFields: templateVersions.usedFields,
      fields: templateVersions.fields,
    })
    .from(templates)
    .innerJoin(templateVersions, isCurrentVersion)
    .where(and(eq(templates.tenantId, tenantId), isThere))
    .orderBy(templates.id);
}
