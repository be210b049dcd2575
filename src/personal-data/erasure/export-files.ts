import { and, asc, eq, gt, isNull, sql } from 'drizzle-orm';
import type { Tx } from '../../db/client.ts';
import { exportChunks, operations } from '../../db/tables/dispatch.ts';
import type { Person } from '../person.ts';
import { firstId } from './walk.ts';

const ids = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/**
 * Makes exports that are being written wait until the transaction ends, and waits for what they write at this moment:
 * what they read from then on is erased.
 */
export async function holdExports(tx: Tx, tenantId: string): Promise<void> {
  await tx
    .select({ id: operations.id })
    .from(operations)
    .where(and(eq(operations.tenantId, tenantId), eq(operations.kind, 'export'), isNull(operations.finishedAt)))
    .orderBy(asc(operations.id))
    .for('update');
}

/** Exports whose file has one of these messages. Page by page: a file may be larger than memory. */
async function exportsWith(tx: Tx, tenantId: string, messageIds: ReadonlySet<string>): Promise<Set<string>> {
  const found = new Set<string>();
  let last = { operationId: firstId, number: 0 };
  while (true) {
    const [page] = await tx
      .select()
      .from(exportChunks)
      .where(
        and(
          eq(exportChunks.tenantId, tenantId),
          gt(
            sql`(${exportChunks.operationId}, ${exportChunks.number})`,
            sql`(${last.operationId}::uuid, ${last.number}::int)`,
          ),
        ),
      )
      .orderBy(asc(exportChunks.operationId), asc(exportChunks.number))
      .limit(1);
    if (page === undefined) return found;
    last = page;
    if (found.has(page.operationId)) continue;
    for (const [id] of page.content.toString('latin1').matchAll(ids)) {
      if (!messageIds.has(id)) continue;
      found.add(page.operationId);
      break;
    }
  }
}

/** An export that is not finished begins again; one that is finished tells that its file was erased. */
async function eraseFile(tx: Tx, tenantId: string, id: string): Promise<void> {
  await tx.delete(exportChunks).where(and(eq(exportChunks.tenantId, tenantId), eq(exportChunks.operationId, id)));
  await tx.execute(sql`
    update operations set
      parameters = case when finished_at is null then parameters else parameters || '{"fileErased": true}' end,
      cursor = case when finished_at is null then null else cursor end,
      done = case when finished_at is null then 0 else done end,
      succeeded = case when finished_at is null then 0 else succeeded end
    where tenant_id = ${tenantId} and id = ${id}`);
}

/** Deletes the files of exports that hold one of these messages. */
export async function eraseExportFiles(tx: Tx, tenantId: string, messageIds: readonly string[]): Promise<void> {
  if (messageIds.length === 0) return;
  for (const id of await exportsWith(tx, tenantId, new Set(messageIds))) await eraseFile(tx, tenantId, id);
}

/** The type that a person had whenever an export was made; null: it is not known, or was not always the same. */
async function lastingType(tx: Tx, { tenantId, id, external }: Person): Promise<string | null> {
  const [changed] = await tx.execute(sql`
    select 1 from audit_entries where tenant_id = ${tenantId} and resource_type = 'recipient' and resource_id = ${id}
      and fields::jsonb ? 'type' limit 1`);
  return changed === undefined ? (external?.type ?? null) : null;
}

/** Deletes the files of the exports of recipients that a person may be in: all but those of another type. */
export async function eraseRecipientFiles(tx: Tx, person: Person): Promise<void> {
  const { tenantId } = person;
  const type = await lastingType(tx, person);
  const made = await tx
    .selectDistinct({ id: operations.id })
    .from(operations)
    .innerJoin(
      exportChunks,
      and(eq(exportChunks.tenantId, operations.tenantId), eq(exportChunks.operationId, operations.id)),
    )
    .where(
      and(
        eq(operations.tenantId, tenantId),
        sql`${operations.parameters} ->> 'kind' = 'recipients'
      and (${type}::text is null or coalesce(${operations.parameters} #>> '{recipientFilter,type}', ${type}) = ${type})`,
      ),
    );
  for (const { id } of made) await eraseFile(tx, tenantId, id);
}
