/** Files that are being imported, as they come in: their pieces, and whether more is to come. */
import { and, asc, between, eq, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import { at } from '../../db/rows.ts';
import { importChunks, importUploads, importWaitingRows, operations } from '../../db/tables/dispatch.ts';
import type { JobQueue, OperationJobData } from '../../queue/boss.ts';
import { queueNames } from '../../queue/queues.ts';
import { rowLimitBytes } from '../../row-files/read-rows.ts';
import type { Actor } from '../../tenants/rights.ts';
import type { OperationRow } from '../store.ts';

type Deps = { clock: Clock; newId: NewId; jobs: JobQueue };

export type UploadRow = typeof importUploads.$inferSelect;

/** Whose file it is. */
export type UploadKey = Pick<UploadRow, 'tenantId' | 'operationId'>;

/** Whose import it is, and in whose name its rows are kept. */
export interface ImportTarget extends UploadKey {
  actor: Actor;
}

/**
 * Every piece but the last has this size: so the piece of an offset is known. Small, because its text on the way to the
 * database and back should be freed with what is short-lived.
 */
export const chunkBytes = 32 * 1024;
/** Pieces that one step reads: from any offset on, more than one row. */
const chunksPerStep = Math.ceil(rowLimitBytes / chunkBytes) + 4;

const ofUpload = (key: UploadKey) =>
  and(eq(importUploads.tenantId, key.tenantId), eq(importUploads.operationId, key.operationId));

/** Begins to keep the file of an operation. */
export async function openUpload(deps: Pick<Deps, 'clock'>, tx: Tx, key: UploadKey): Promise<void> {
  await tx
    .insert(importUploads)
    .values({ ...key, state: 'receiving', receivedBytes: 0, waiting: false, seenAt: deps.clock.now() });
}

/** @throws Error when it is gone. */
export async function getUpload(tx: Tx, key: UploadKey, options: { lock?: boolean } = {}): Promise<UploadRow> {
  const query = tx.select().from(importUploads).where(ofUpload(key));
  const [row] = await (options.lock ? query.for('update') : query);
  if (row === undefined) throw new Error(`the file of the operation ${key.operationId} is gone`);
  return row;
}

async function giveJob(deps: Deps, tx: Tx, key: UploadKey): Promise<void> {
  const data: OperationJobData = { ...key };
  await deps.jobs.insert(tx, queueNames.operations, [{ id: deps.newId(), data }]);
}

async function insertChunks(tx: Tx, key: UploadKey, first: number, pieces: readonly Buffer[]): Promise<void> {
  const values = pieces.map(
    (piece, place) =>
      sql`(${key.tenantId}::uuid, ${key.operationId}::uuid, ${first + place}::integer, decode(${piece.toString('base64')}, 'base64'))`,
  );
  await tx.execute(sql`insert into import_chunks (tenant_id, operation_id, number, content)
    values ${sql.join(values, sql`, `)}`);
}

/**
 * Keeps the next pieces of a file, and wakes its work where that has come to the end of what was there.
 * @param state what is known of the rest: `receiving`, or how it ended.
 * @returns false: nobody waits for it any more (it was given up as silent, or its operation has ended).
 */
export async function appendToUpload(
  deps: Deps & { db: Db },
  key: UploadKey,
  pieces: readonly Buffer[],
  state: UploadRow['state'],
): Promise<boolean> {
  return deps.db.transaction(async (tx) => {
    const [row] = await tx.select().from(importUploads).where(ofUpload(key)).for('update');
    if (row === undefined || row.state !== 'receiving') return false;
    if (pieces.length > 0) await insertChunks(tx, key, row.receivedBytes / chunkBytes, pieces);
    const receivedBytes = row.receivedBytes + pieces.reduce((sum, { length }) => sum + length, 0);
    const seenAt = deps.clock.now();
    await tx.update(importUploads).set({ state, receivedBytes, seenAt, waiting: false }).where(ofUpload(key));
    if (row.waiting) await giveJob(deps, tx, key);
    return true;
  });
}

/** Tells that the one who receives the file is alive, however slowly it comes. */
export async function touchUpload(deps: { clock: Clock; db: Db }, key: UploadKey): Promise<void> {
  await deps.db.update(importUploads).set({ seenAt: deps.clock.now() }).where(ofUpload(key));
}

/** The bytes of a file from an offset on: more than the longest row, where there are so many. */
export async function readPiece(tx: Tx, key: UploadKey, offset: number): Promise<Buffer> {
  const first = Math.floor(offset / chunkBytes);
  const chunks = await tx
    .select({ content: importChunks.content })
    .from(importChunks)
    .where(
      and(
        eq(importChunks.tenantId, key.tenantId),
        eq(importChunks.operationId, key.operationId),
        between(importChunks.number, first, first + chunksPerStep - 1),
      ),
    )
    .orderBy(asc(importChunks.number));
  return Buffer.concat(chunks.map(({ content }) => content)).subarray(offset - first * chunkBytes);
}

/**
 * Forgets what was read of a file: it holds personal data, and nothing reads it again. Of the piece that is read next what
 * stands before the offset is blanked, because the number of a piece and its size say where it is.
 */
export async function forgetRead(tx: Tx, { tenantId, operationId }: UploadKey, offset: number): Promise<void> {
  const next = Math.floor(offset / chunkBytes);
  const read = offset - next * chunkBytes;
  const chunks = sql`tenant_id = ${tenantId} and operation_id = ${operationId}`;
  await tx.execute(sql`delete from import_chunks where ${chunks} and number < ${next}`);
  if (read === 0) return;
  await tx.execute(sql`
    update import_chunks set content = decode(repeat('00', ${read}::integer), 'hex') || substring(content from ${read + 1}::integer)
    where ${chunks} and number = ${next}`);
}

/** How much of each file that is being imported has come at this moment, in bytes, by operation. */
export async function receivedSoFar(tx: Tx, tenantId: string): Promise<Record<string, number>> {
  const uploads = await tx
    .select({ id: importUploads.operationId, bytes: importUploads.receivedBytes })
    .from(importUploads)
    .where(eq(importUploads.tenantId, tenantId));
  return Object.fromEntries(uploads.map(({ id, bytes }) => [id, bytes]));
}

/**
 * Whether anything of what had come (`receivedSoFar`) is still kept and to be read. It comes to an end: a row of which
 * only a part has come is not waited for, since who sends the rest may take any time.
 */
export async function hasUnread(tx: Tx, tenantId: string, received: Record<string, number>): Promise<boolean> {
  const asked = JSON.stringify(Object.entries(received).map(([id, bytes]) => ({ id, bytes })));
  const unread = await tx.execute(sql`
    select 1 from json_to_recordset(${asked}::json) as file(id uuid, bytes bigint)
    join import_uploads upload on upload.tenant_id = ${tenantId} and upload.operation_id = file.id
    join operations on operations.tenant_id = ${tenantId} and operations.id = file.id
    where not upload.waiting and (operations.finished_at is not null
      or coalesce((operations.cursor::json ->> 'offset')::bigint, 0) < file.bytes)
    limit 1`);
  return unread.length > 0;
}

/**
 * There is nothing to do before more has come.
 * @returns null: it waits; else what has come meanwhile, or how the file has ended.
 */
export async function waitForMore(tx: Tx, seen: UploadRow): Promise<UploadRow | null> {
  const now = await getUpload(tx, seen, { lock: true });
  if (now.state !== 'receiving' || now.receivedBytes > seen.receivedBytes) return now;
  await tx.update(importUploads).set({ waiting: true }).where(ofUpload(now));
  return null;
}

/** Forgets the file and what waited of it: its import has ended. */
export async function deleteUpload(tx: Tx, { tenantId, id: operationId }: OperationRow): Promise<void> {
  for (const table of [importChunks, importUploads, importWaitingRows]) {
    await tx.delete(table).where(and(eq(table.tenantId, tenantId), eq(table.operationId, operationId)));
  }
}

/** Who receives a file tells that it lives every 15 s. */
const silentMs = 60_000;

/**
 * Ends the files that nobody receives any more, because the process that did is gone: what came is imported. Forgets
 * those whose operation failed.
 * @returns how many.
 */
export async function clearUploads(deps: Deps & { db: Db }, limit: number): Promise<number> {
  const silentSince = new Date(deps.clock.now().getTime() - silentMs);
  const silent = await deps.db.execute<{ tenant_id: string; operation_id: string }>(sql`
    select tenant_id, operation_id from import_uploads
    where state = 'receiving' and seen_at < ${at(silentSince)} limit ${limit}`);
  for (const { tenant_id: tenantId, operation_id: operationId } of silent) {
    await appendToUpload(deps, { tenantId, operationId }, [], 'cut');
  }
  const ended = await deps.db
    .select({ operation: operations })
    .from(importUploads)
    .innerJoin(
      operations,
      and(eq(operations.tenantId, importUploads.tenantId), eq(operations.id, importUploads.operationId)),
    )
    .where(sql`${operations.finishedAt} is not null`)
    .limit(limit);
  for (const { operation } of ended) await deps.db.transaction((tx) => deleteUpload(tx, operation));
  return silent.length + ended.length;
}
