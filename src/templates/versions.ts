import { and, desc, eq, lt, max, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { templates, templateVersions } from '../db/tables/content.ts';
import { AppError, type ErrorItem, notFound } from '../errors.ts';
import { controlCharacter } from '../fields.ts';
import type { FieldsShape } from '../merge-fields/shape.ts';
import { recordAudit } from '../tenants/audit.ts';
import { type Actor, nameOf } from '../tenants/rights.ts';
import { convertOldFields } from './convert/convert.ts';
import { findUnknown, type KnownFields, readKnownFields } from './fields/known.ts';
import { findFieldsInMarkup } from './markup/fields-in-markup.ts';
import { parseTemplateParts, type TemplateParts } from './rendering/liquid.ts';
import { listVariableUses, type VariableUse } from './rendering/variables.ts';
import { getTemplate, isThere, type TemplateRow } from './store.ts';

type Deps = { clock: Clock; newId: NewId };

export type TemplateVersionRow = typeof templateVersions.$inferSelect;

/** Parsing and reading the fields grow faster than the text: 2,000 marks take some tens of milliseconds. */
const maximumMarks = 2_000;

/** The first fault is the detail. @throws AppError `template_invalid`, where there is any. */
function refuseFaults(items: readonly ErrorItem[]): void {
  const [first] = items;
  if (first !== undefined) {
    throw new AppError('template_invalid', { detail: `${first.pointer} ${first.message}`, items });
  }
}

/** Outputs and tags, and what is chained inside them: filters, conditions, the lines of `{% liquid %}`. */
function countMarks(source: string): number {
  const [, ...inside] = source.split(/\{[{%]/);
  return inside.reduce((count, text) => {
    const end = text.search(/[}%]\}/);
    const chained = text.slice(0, end === -1 ? text.length : end).match(/[\n|,]|\b(?:or|and)\b/g);
    return count + 1 + (chained?.length ?? 0);
  }, 0);
}

function checkSize(parts: TemplateParts): void {
  for (const [part, source] of Object.entries(parts)) {
    const marks = countMarks(source);
    if (marks <= maximumMarks) continue;
    const message = `has ${marks} outputs, tags, filters and conditions; ${maximumMarks} is the most`;
    refuseFaults([{ pointer: `/${part}`, code: 'too_complex', message }]);
  }
}

/** @throws AppError `template_invalid` with the place of every field that nothing gives. */
function refuseUnknown(uses: readonly VariableUse[], known: KnownFields): void {
  const unknown = findUnknown(uses, known).slice(0, 100);
  refuseFaults(
    unknown.map(({ path, part, line, column, trigger, suggestion }) => {
      const why = trigger !== null ? `is a field of the trigger ${trigger}` : 'is given by nothing';
      const meant = suggestion === null ? '' : `; ${suggestion} is`;
      return {
        pointer: `/${part}`,
        code: trigger === null ? 'field_unknown' : 'field_wrong_trigger',
        message: `line ${line}, column ${column}: ${path} ${why}${meant}`,
      };
    }),
  );
}

/** What was known when a text was saved may be gone when it is published: both ask. @throws AppError `template_invalid`. */
async function mustBeKnown(
  tx: Tx,
  template: TemplateRow,
  { allowUnknown, fields }: Pick<TemplateVersionRow, 'allowUnknown' | 'fields'>,
  uses: readonly VariableUse[],
): Promise<void> {
  if (allowUnknown) return;
  const known = await readKnownFields(tx, template.tenantId, template, fields);
  if (known !== null) refuseUnknown(uses, known);
}

function checkMarkup(html: string): void {
  const found = findFieldsInMarkup(html).slice(0, 100);
  refuseFaults(
    found.map(({ line, column, message }) => {
      return { pointer: '/html', code: 'field_in_markup', message: `line ${line}, column ${column}: ${message}` };
    }),
  );
}

/** @throws AppError `template_invalid` with the part and the place of every fault. */
function checkParts(parts: TemplateParts): VariableUse[] {
  if (controlCharacter.test(parts.subject)) {
    const message = 'must be one line, without control characters';
    refuseFaults([{ pointer: '/subject', code: 'control_character', message }]);
  }
  checkSize(parts);
  const parsed = parseTemplateParts(parts);
  if (parsed.kind === 'problems') {
    refuseFaults(
      parsed.problems.map(({ part, message }) => ({ pointer: `/${part}`, code: 'template_invalid', message })),
    );
  }
  checkMarkup(parts.html);
  return listVariableUses(parts);
}

/** A version as it is asked for. */
export interface NewVersion extends TemplateParts {
  /** With `braces`, `{Adr_Nom}` becomes `{{ Adr_Nom }}` and other braces stay (W1). */
  syntax: 'liquid' | 'braces';
  senderId: string | null;
  fields: FieldsShape | null;
  /** Keeps it although it reads fields that nothing gives. */
  allowUnknown: boolean;
}

/** Adds a draft version. @throws AppError `not_found`, `template_invalid`. */
export async function addTemplateVersion(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; templateId: string; actor: Actor },
  version: NewVersion,
): Promise<TemplateVersionRow> {
  const { tenantId, templateId, actor } = target;
  const convert = (text: string) =>
    version.syntax === 'braces' ? convertOldFields(text, { syntaxes: ['braces'] }).text : text;
  const parts = { subject: convert(version.subject), text: convert(version.text), html: convert(version.html) };
  const uses = checkParts(parts);
  // Locks the template's row, so that two versions added at once get two numbers.
  const [template] = await tx
    .update(templates)
    .set({ updatedAt: deps.clock.now(), updatedBy: nameOf(actor), revision: sql`${templates.revision} + 1` })
    .where(and(eq(templates.tenantId, tenantId), eq(templates.id, templateId), isThere))
    .returning();
  if (template === undefined) throw notFound();
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
      ...parts,
      usedFields: uses.map(({ path }) => path),
      fields: version.fields,
      allowUnknown: version.allowUnknown,
      senderId: version.senderId,
      createdAt: deps.clock.now(),
    })
    .returning();
  if (row === undefined) throw new Error('the template version was not inserted');
  await recordAudit(deps, tx, {
    tenantId,
    actor,
    action: 'updated',
    resourceType: 'template',
    resourceId: templateId,
    fields: ['versions'],
  });
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

/**
 * Publishes a version: it becomes the template's current one and never changes again.
 * @throws AppError `not_found`, `already_published`; `template_invalid` for a field that nothing gives any more.
 */
export async function publishTemplateVersion(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; templateId: string; actor: Actor },
  version: number,
): Promise<TemplateVersionRow> {
  const { tenantId, templateId, actor } = target;
  // Locked before its version, as a deletion does.
  await tx.execute(sql`select 1 from templates where tenant_id = ${tenantId} and id = ${templateId} for update`);
  const template = await getTemplate(tx, tenantId, templateId);
  const draft = await getTemplateVersion(tx, tenantId, templateId, version);
  if (draft.status === 'published') throw new AppError('already_published');
  await mustBeKnown(tx, template, draft, listVariableUses(draft));
  const now = deps.clock.now();
  const publishedBy = nameOf(actor);
  const [row] = await tx
    .update(templateVersions)
    .set({ status: 'published', publishedAt: now, publishedBy })
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
  await tx
    .update(templates)
    .set({
      currentVersion: version,
      updatedAt: now,
      updatedBy: publishedBy,
      revision: sql`${templates.revision} + 1`,
    })
    .where(and(eq(templates.tenantId, tenantId), eq(templates.id, templateId)));
  await recordAudit(deps, tx, {
    tenantId,
    actor,
    action: 'published',
    resourceType: 'template',
    resourceId: templateId,
    fields: [`version ${version}`],
  });
  return row;
}
