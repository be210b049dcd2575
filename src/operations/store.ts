import { and, asc, eq, gt, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { at } from '../db/rows.ts';
import { exportChunks, operations, type StoredImport } from '../db/tables/dispatch.ts';
import { notFound } from '../errors.ts';
import { recordEvents } from '../events/store.ts';
import type { Viewer } from '../messages/filter.ts';
import type { Refusal } from '../messages/to-valid.ts';
import type { ErasureDeps } from '../personal-data/erasure/deps.ts';
import type { OutboxDeps } from '../personal-data/erasure/outbox-files.ts';
import type { JobQueue, OperationJobData } from '../queue/boss.ts';
import { queueNames } from '../queue/queues.ts';
import { type Actor, type Caller, serviceActor } from '../tenants/rights.ts';

/** What operations need. */
export interface OperationDeps extends ErasureDeps, OutboxDeps {
  db: Db;
}

export type OperationRow = typeof operations.$inferSelect;

/** What a step leaves: more to do at once, or a moment later, or when what it waits for gives it a job, or nothing. */
export type Progress = 'more' | 'later' | 'waiting' | 'done';

/** Refusals that are kept by name; the others are counted. */
export const keptRefusals = 1_000;

/** Who asks for an operation; without a key the service itself. */
type OperationCaller = Pick<Caller, 'tenantId' | 'testOnly' | 'user'> & { keyId: string | null };

/** The service itself, for what nobody asked for. */
export function serviceCaller(tenantId: string): OperationCaller {
  return { tenantId, testOnly: false, user: null, keyId: null };
}

/** Who asked for an operation: in whose name its work is done. */
export function actorOfOperation({ actor }: Pick<OperationRow, 'actor'>): Actor {
  const { keyId, user } = actor as Pick<OperationCaller, 'keyId' | 'user'>;
  return keyId === null ? serviceActor : { kind: 'key', keyId, user };
}

/** Stores an operation with its job, in the transaction of the request that asks for it. */
export async function createOperation(
  deps: { clock: Clock; newId: NewId; jobs: JobQueue },
  tx: Tx,
  caller: OperationCaller,
  operation: { kind: string; parameters: Record<string, unknown>; total: number; imported?: StoredImport },
): Promise<OperationRow> {
  const now = deps.clock.now();
  const id = deps.newId();
  const [row] = await tx
    .insert(operations)
    .values({
      tenantId: caller.tenantId,
      id,
      kind: operation.kind,
      status: 'queued',
      test: caller.testOnly,
      parameters: operation.parameters,
      actor: { keyId: caller.keyId, user: caller.user },
      cursor: null,
      total: operation.total,
      done: 0,
      succeeded: 0,
      refused: [],
      refusedCount: 0,
      imported: operation.imported ?? null,
      finishedAt: null,
      createdAt: now,
      updatedAt: now,
    })
    .returning();
  if (row === undefined) throw new Error('the operation was not inserted');
  const data: OperationJobData = { tenantId: caller.tenantId, operationId: id };
  await deps.jobs.insert(tx, queueNames.operations, [{ id: deps.newId(), data }]);
  return row;
}

/** @throws AppError `not_found`. A test key sees its own only. `lock` keeps others from it. */
export async function getOperation(
  db: Db | Tx,
  viewer: Viewer,
  id: string,
  options: { lock?: boolean } = {},
): Promise<OperationRow> {
  const query = db
    .select()
    .from(operations)
    .where(
      and(
        eq(operations.tenantId, viewer.tenantId),
        eq(operations.id, id),
        viewer.testOnly ? eq(operations.test, true) : undefined,
      ),
    );
  const [row] = await (options.lock ? query.for('update') : query);
  if (row === undefined) throw notFound();
  return row;
}

/** A step of an operation, kept in the transaction that did it: an interruption goes on after it. */
export async function recordStep(
  deps: Pick<OperationDeps, 'clock'>,
  tx: Tx,
  row: OperationRow,
  step: { cursor: string; done: number; succeeded: number; refused: readonly Refusal[] },
): Promise<void> {
  const room = Math.max(0, keptRefusals - row.refused.length);
  await tx
    .update(operations)
    .set({
      status: 'running',
      cursor: step.cursor,
      done: row.done + step.done,
      succeeded: row.succeeded + step.succeeded,
      refused: [...row.refused, ...step.refused.slice(0, room)],
      refusedCount: row.refusedCount + step.refused.length,
      updatedAt: deps.clock.now(),
    })
    .where(and(eq(operations.tenantId, row.tenantId), eq(operations.id, row.id)));
}

/** Ends an operation and tells so. */
export async function finishOperation(
  deps: Pick<OperationDeps, 'clock' | 'newId'>,
  tx: Tx,
  row: OperationRow,
  status: 'done' | 'failed',
): Promise<void> {
  const now = deps.clock.now();
  await tx
    .update(operations)
    .set({ status, finishedAt: now, updatedAt: now })
    .where(and(eq(operations.tenantId, row.tenantId), eq(operations.id, row.id)));
  await recordEvents(deps, tx, [
    {
      tenantId: row.tenantId,
      type: 'operation.finished',
      test: row.test,
      resourceId: row.id,
      data: { kind: row.kind, status, done: row.done, succeeded: row.succeeded, refused: row.refusedCount },
    },
  ]);
}

/** Keeps the next page of an export. */
export async function appendChunk(tx: Tx, row: OperationRow, content: Buffer): Promise<void> {
  await tx.execute(sql`
    insert into export_chunks (tenant_id, operation_id, number, content)
    select ${row.tenantId}, ${row.id}, coalesce(max(number), 0) + 1, decode(${content.toString('base64')}, 'base64')
    from export_chunks where tenant_id = ${row.tenantId} and operation_id = ${row.id}`);
}

/** The pages of an export, one by one. */
export async function* readChunks(db: Db, tenantId: string, operationId: string): AsyncGenerator<Buffer> {
  let after = 0;
  while (true) {
    const [chunk] = await db
      .select()
      .from(exportChunks)
      .where(
        and(
          eq(exportChunks.tenantId, tenantId),
          eq(exportChunks.operationId, operationId),
          gt(exportChunks.number, after),
        ),
      )
      .orderBy(asc(exportChunks.number))
      .limit(1);
    if (chunk === undefined) return;
    yield chunk.content;
    after = chunk.number;
  }
}

/** How long the file of an export, and what is said of the refused rows of an import, are kept: they hold personal data. */
export const exportKeptMs = 7 * 24 * 60 * 60 * 1_000;

/** Deletes the files of exports that ended before. @returns how many pages. */
export async function deleteOldExports(db: Db, before: Date, limit: number): Promise<number> {
  const gone = await db.execute(sql`
    delete from export_chunks where (tenant_id, operation_id, number) in (
      select chunk.tenant_id, chunk.operation_id, chunk.number from export_chunks chunk
      join operations on operations.tenant_id = chunk.tenant_id and operations.id = chunk.operation_id
      where operations.finished_at < ${at(before)} limit ${limit})`);
  return gone.count;
}
