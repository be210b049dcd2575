import { createHash } from 'node:crypto';
import { and, asc, eq, isNotNull, isNull, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { at, idList } from '../db/rows.ts';
import { documentContents, documents } from '../db/tables/content.ts';
import { AppError, notFound } from '../errors.ts';
import { uuidPattern } from '../text-patterns.ts';
import { filenameFault } from './filename.ts';
import { checkMediaType } from './media-type.ts';

export type DocumentRow = typeof documents.$inferSelect;

/** A file that was checked, ready to be kept. */
export interface CheckedFile {
  filename: string;
  mediaType: string;
  content: Buffer;
  sha256: string;
}

/** A document that cannot be kept. The `code` of its one item says why. */
export function refusedDocument(code: string, message: string): AppError {
  return new AppError('document_invalid', {
    detail: `The file ${message}.`,
    items: [{ pointer: '/file', code, message }],
  });
}

/**
 * Checks a file: its name, that it is not empty, its type by its first bytes.
 * @throws AppError `document_invalid` with `filename_invalid`, `empty`, `media_type_not_allowed` or `media_type_mismatch`.
 */
export async function checkFile(file: { filename: string; mediaType: string; content: Buffer }): Promise<CheckedFile> {
  const fault = filenameFault(file.filename);
  if (fault !== null) throw refusedDocument('filename_invalid', `name ${fault}`);
  if (file.content.length === 0) throw refusedDocument('empty', 'must not be empty');
  const checked = await checkMediaType(file.mediaType, file.content);
  if (checked.kind === 'refused') throw refusedDocument(checked.code, checked.why);
  const sha256 = createHash('sha256').update(file.content).digest('hex');
  return { ...file, mediaType: checked.mediaType, sha256 };
}

/** Keeps a file: a document of its own for each upload, its bytes once per tenant. */
export async function createDocument(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  tenantId: string,
  file: CheckedFile,
): Promise<DocumentRow> {
  const now = deps.clock.now();
  const { filename, mediaType, content, sha256 } = file;
  await tx
    .insert(documentContents)
    .values({ tenantId, sha256, content, createdAt: now })
    // Changes nothing but locks the row: it cannot be cleared away before the document that needs it is there.
    .onConflictDoUpdate({ target: [documentContents.tenantId, documentContents.sha256], set: { sha256 } });
  const [row] = await tx
    .insert(documents)
    .values({
      tenantId,
      id: deps.newId(),
      filename,
      mediaType,
      size: content.length,
      sha256,
      usedAt: null,
      createdAt: now,
      updatedAt: now,
    })
    .returning();
  if (row === undefined) throw new Error('the document was not inserted');
  return row;
}

/** @throws AppError `not_found`. */
export async function getDocument(db: Db | Tx, tenantId: string, id: string): Promise<DocumentRow> {
  const [row] = await db
    .select()
    .from(documents)
    .where(and(eq(documents.tenantId, tenantId), eq(documents.id, id)));
  if (row === undefined) throw notFound();
  return row;
}

function ofIds(tenantId: string, ids: readonly string[]) {
  // What is not a UUID is no document's id: it is absent, not a fault of the query.
  const known = [...new Set(ids)].filter((id) => uuidPattern.test(id));
  return and(eq(documents.tenantId, tenantId), sql`${documents.id} = any(${idList(known)})`);
}

/** By id, as ids were given (the case of hexadecimal digits is the caller's). */
function byId(ids: readonly string[], rows: readonly DocumentRow[]): Map<string, DocumentRow> {
  const kept = new Map(rows.map((row) => [row.id, row]));
  const found = new Map<string, DocumentRow>();
  for (const id of ids) {
    const row = kept.get(id.toLowerCase());
    if (row !== undefined) found.set(id, row);
  }
  return found;
}

/** Documents by id, without marking them as used. Those that do not exist are absent. */
export async function findDocuments(
  db: Db | Tx,
  tenantId: string,
  ids: readonly string[],
): Promise<Map<string, DocumentRow>> {
  if (ids.length === 0) return new Map();
  return byId(ids, await db.select().from(documents).where(ofIds(tenantId, ids)));
}

/**
 * Documents by id, marked as used: from now on they are kept. Those that do not exist, or expired a moment ago, are
 * absent. A document that was used before is not changed, so that a thousand requests can share one.
 */
export async function useDocuments(
  tx: Tx,
  deps: { clock: Clock },
  tenantId: string,
  ids: readonly string[],
): Promise<Map<string, DocumentRow>> {
  if (ids.length === 0) return new Map();
  // Always in the order of ids: two requests that take the same documents wait for each other, never in a circle.
  const fresh = await tx
    .select({ id: documents.id })
    .from(documents)
    .where(and(ofIds(tenantId, ids), isNull(documents.usedAt)))
    .orderBy(asc(documents.id))
    .for('update');
  if (fresh.length > 0) {
    const now = deps.clock.now();
    const freshIds = fresh.map(({ id }) => id);
    await tx.update(documents).set({ usedAt: now, updatedAt: now }).where(ofIds(tenantId, freshIds));
  }
  // Shared by all that use it: whoever looks whether anything still does waits for them.
  const rows = await tx
    .select()
    .from(documents)
    .where(and(ofIds(tenantId, ids), isNotNull(documents.usedAt)))
    .orderBy(asc(documents.id))
    .for('key share');
  const doubted = rows.filter(({ erasureId }) => erasureId !== null).map(({ id }) => id);
  if (doubted.length > 0) await tx.update(documents).set({ erasureId: null }).where(ofIds(tenantId, doubted));
  return byId(ids, rows);
}

/** Bytes by their hash. Hashes that are not kept are absent. */
export async function loadContents(
  db: Db | Tx,
  tenantId: string,
  hashes: readonly string[],
): Promise<Map<string, Buffer>> {
  if (hashes.length === 0) return new Map();
  const rows = await db
    .select({ sha256: documentContents.sha256, content: documentContents.content })
    .from(documentContents)
    .where(
      and(
        eq(documentContents.tenantId, tenantId),
        sql`${documentContents.sha256} in (select json_array_elements_text(${JSON.stringify(hashes)}::json))`,
      ),
    );
  return new Map(rows.map(({ sha256, content }) => [sha256, content]));
}

/**
 * Deletes at most `limit` documents of any tenant that were made before `before` and never used, and the contents
 * that no document refers to any more. Safe beside uploads and uses: a document in use at this moment stays.
 * @returns how many documents are gone.
 */
export async function deleteUnusedDocuments(db: Db, before: Date, limit: number): Promise<number> {
  return db.transaction(async (tx) => {
    const gone = await tx.execute<{ tenant_id: string; sha256: string }>(sql`
      delete from documents where (tenant_id, id) in (
        select tenant_id, id from documents where used_at is null and created_at < ${at(before)}
        order by created_at limit ${limit} for update skip locked)
      returning tenant_id, sha256`);
    if (gone.length === 0) return 0;
    const wanted = sql`(tenant_id, sha256) in (
      select tenant_id, sha256 from json_to_recordset(${JSON.stringify([...gone])}::json) as gone(tenant_id uuid, sha256 text))`;
    // Locked first, looked at after: an upload that held the row has committed its document by then, and only a
    // statement that begins later can see it.
    await tx.execute(sql`
      select 1 from document_contents where ${wanted} order by tenant_id, sha256 for update`);
    await tx.execute(sql`
      delete from document_contents where ${wanted} and not exists (
        select 1 from documents
        where documents.tenant_id = document_contents.tenant_id and documents.sha256 = document_contents.sha256)`);
    return gone.length;
  });
}
