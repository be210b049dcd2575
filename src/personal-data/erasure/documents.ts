import { sql } from 'drizzle-orm';
import type { Tx } from '../../db/client.ts';
import { idList } from '../../db/rows.ts';
import type { Erasure } from './deps.ts';
import type { Span } from './walk.ts';

/** Marks documents that erased messages had: nothing else may use them. Whoever uses one again takes the mark away. */
export async function doubtDocuments(tx: Tx, { tenantId, operationId }: Erasure, ids: readonly string[]) {
  if (ids.length === 0) return;
  // Against those that use one at this moment: their messages are there when the next statement looks.
  await tx.execute(sql`
    select 1 from documents where tenant_id = ${tenantId} and id = any(${idList(ids)}) order by id for update`);
  await tx.execute(sql`
    update documents set erasure_id = ${operationId} where tenant_id = ${tenantId} and id = any(${idList(ids)})`);
}

/** Takes over what operations that were given up had marked: at the beginning of a walk, which looks for all of it. */
export async function adoptDocuments(tx: Tx, { tenantId, operationId }: Erasure): Promise<void> {
  await tx.execute(sql`
    update documents set erasure_id = ${operationId}
    where tenant_id = ${tenantId} and erasure_id is not null and erasure_id in (
      select id from operations where tenant_id = ${tenantId} and finished_at is not null)`);
}

/** Whether any document is marked. */
export async function hasDoubtedDocuments(tx: Tx, { tenantId, operationId }: Erasure): Promise<boolean> {
  const marked = await tx.execute(sql`
    select 1 from documents where tenant_id = ${tenantId} and erasure_id = ${operationId} limit 1`);
  return marked.length > 0;
}

/** Takes the mark from documents that messages of this span have. */
export async function keepUsedDocuments(tx: Tx, { tenantId, operationId }: Erasure, span: Span): Promise<void> {
  await tx.execute(sql`
    update documents set erasure_id = null
    where tenant_id = ${tenantId} and erasure_id = ${operationId} and id in (
      select (document ->> 'id')::uuid from messages, jsonb_array_elements(messages.documents) document
      where messages.tenant_id = ${tenantId} and messages.id > ${span.after} and messages.id <= ${span.to}
        and messages.documents <> '[]')`);
}

const pinnedElsewhere = (tenantId: string) => sql`
  select (document ->> 'id')::uuid from template_versions, jsonb_array_elements(template_versions.documents) document
    where tenant_id = ${tenantId}
  union all select (logo ->> 'id')::uuid from layouts where tenant_id = ${tenantId} and logo is not null`;

/**
 * Deletes the documents that are still marked: no message, template, layout or draft has them. Their bytes go with the
 * last document that has the same.
 */
export async function deleteDoubtedDocuments(tx: Tx, { tenantId, operationId }: Erasure): Promise<number> {
  const marked = sql`tenant_id = ${tenantId} and erasure_id = ${operationId}`;
  // Locked first, looked at after, as `deleteUnusedDocuments` does it.
  await tx.execute(sql`select 1 from documents where ${marked} order by id for update`);
  await tx.execute(sql`
    update documents set erasure_id = null where ${marked} and (id in (${pinnedElsewhere(tenantId)}) or exists (
      select 1 from send_request_drafts where tenant_id = ${tenantId} and strpos(lower(body::text), documents.id::text) > 0))`);
  const gone = await tx.execute<{ sha256: string }>(sql`delete from documents where ${marked} returning sha256`);
  const hashes = JSON.stringify([...new Set([...gone].map(({ sha256 }) => sha256))]);
  const wanted = sql`tenant_id = ${tenantId} and sha256 in (select json_array_elements_text(${hashes}::json))`;
  await tx.execute(sql`select 1 from document_contents where ${wanted} order by sha256 for update`);
  await tx.execute(sql`
    delete from document_contents where ${wanted}
      and not exists (
        select 1 from documents where documents.tenant_id = ${tenantId}
          and documents.sha256 = document_contents.sha256)
      and not exists (
        select 1 from template_versions, jsonb_array_elements(template_versions.inline_images) image
        where template_versions.tenant_id = ${tenantId} and image ->> 'sha256' = document_contents.sha256)`);
  return gone.length;
}
