/** A layout that changes: the templates that use it look as it does now. */
import { isDeepStrictEqual } from 'node:util';
import { and, eq, isNotNull } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import { templates, templateVersions } from '../../db/tables/templates.ts';
import { AppError } from '../../errors.ts';
import type { Actor } from '../../tenants/rights.ts';
import { getTenant } from '../../tenants/store.ts';
import type { MadeTexts } from '../authoring/make-texts.ts';
import type { TextReader } from '../reading/reader.ts';
import { isCurrentVersion, isThere } from '../store.ts';
import { addTemplateVersion, remakeTexts, setPublished, type TemplateVersionRow } from '../versions.ts';
import { getLayout, type LayoutFields, type LayoutRow, updateLayout } from './store.ts';

type Deps = { clock: Clock; newId: NewId };

/** Compiling them takes some tens of milliseconds each, and people wait for the answer. */
const templatesAtMost = 300;

/** The current versions of templates that have a layout. */
async function versionsWith(
  db: Db | Tx,
  { tenantId, id }: LayoutRow,
  { lock = false }: { lock?: boolean } = {},
): Promise<{ key: string; version: TemplateVersionRow }[]> {
  const query = db
    .select({ key: templates.key, version: templateVersions })
    .from(templates)
    .innerJoin(templateVersions, isCurrentVersion)
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
  return lock ? query.for('update', { of: templates }) : query;
}

/** The fault of one template, told with its key. */
function told(error: unknown, key: string): unknown {
  if (!(error instanceof AppError) || error.code !== 'template_invalid') return error;
  const items = error.items.map((item) => ({ ...item, message: `${key}: ${item.message}` }));
  return new AppError('template_invalid', { detail: `${key}: ${error.detail ?? ''}`, items, cause: error });
}

/** A change of a layout with the texts it makes, ready to be stored. */
export interface PreparedLayoutChange {
  /** The layout as it was read. */
  before: LayoutRow;
  change: Partial<LayoutFields>;
  /** Whether mails will look different. */
  looksChanged: boolean;
  made: { version: TemplateVersionRow; texts: MadeTexts }[];
}

function changesLooks(before: LayoutRow, { title: _title, ...looks }: Partial<LayoutFields>): boolean {
  return Object.entries(looks).some(([name, value]) => !isDeepStrictEqual(value, before[name as keyof LayoutFields]));
}

/**
 * Compiles every template that uses a layout with what it will be. Nothing is held meanwhile: `changeLayout` looks whether
 * all is as it was read.
 * @throws AppError `not_found`, `precondition_failed`; `template_invalid` with the key of a template that cannot have it;
 * `unprocessable` where too many use it.
 */
export async function prepareLayoutChange(
  { db, reader }: { db: Db; reader: TextReader },
  target: { tenantId: string; id: string; revision: number | null },
  change: Partial<LayoutFields>,
): Promise<PreparedLayoutChange> {
  const before = await getLayout(db, target.tenantId, target.id);
  if (target.revision !== null && target.revision !== before.revision) throw new AppError('precondition_failed');
  const looksChanged = changesLooks(before, change);
  const made: PreparedLayoutChange['made'] = [];
  const users = looksChanged ? await versionsWith(db, before) : [];
  if (users.length > templatesAtMost) {
    const detail = `More than ${templatesAtMost} templates use it: make another layout.`;
    throw new AppError('unprocessable', { detail });
  }
  const after = { ...before, ...change, version: before.version + 1 };
  const { locale } = await getTenant(db, target.tenantId);
  for (const { key, version } of users) {
    const texts = await remakeTexts(reader, version, after, locale).catch((error: unknown) => {
      throw told(error, key);
    });
    made.push({ version, texts });
  }
  return { before, change, looksChanged, made };
}

/** The versions that templates have now, locked, against those that were compiled. @throws AppError `conflict`. */
async function holdUsers(tx: Tx, layout: LayoutRow, { made }: PreparedLayoutChange): Promise<void> {
  const users = await versionsWith(tx, layout, { lock: true });
  const nameOf = ({ templateId, version }: TemplateVersionRow) => `${templateId}/${version}`;
  const current = users.map(({ version }) => nameOf(version)).join();
  if (current === made.map(({ version }) => nameOf(version)).join()) return;
  throw new AppError('conflict', { detail: 'A template that uses it was published meanwhile: try again.' });
}

/**
 * Changes a layout. Each template whose current version uses it gets a new version, published at once: what was published
 * never changes, and messages that wait keep what was approved.
 * @throws AppError `precondition_failed`, `conflict`; `template_invalid` for fields of the layout that nothing gives.
 */
export async function changeLayout(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor },
  prepared: PreparedLayoutChange,
): Promise<LayoutRow> {
  const { tenantId, actor } = target;
  const { before, change, looksChanged, made } = prepared;
  const layout = await updateLayout(deps, tx, { ...target, revision: before.revision }, change, looksChanged);
  if (!looksChanged) return layout;
  await holdUsers(tx, layout, prepared);
  for (const { version, texts } of made) {
    const { senderId, documents, fields, allowUnknown, templateId } = version;
    const pinned = { senderId, documents, fields, allowUnknown };
    const added = await addTemplateVersion(deps, tx, { tenantId, templateId, actor }, { ...texts, ...pinned });
    await setPublished(deps, tx, { tenantId, templateId, actor }, added.version, {});
  }
  return layout;
}
