import { and, desc, eq, lt, sql } from 'drizzle-orm';
import type { Db, Tx } from '../db/client.ts';
import { idList } from '../db/rows.ts';
import { sendRequestDrafts, sendRequests } from '../db/tables/messages.ts';
import { notFound } from '../errors.ts';
import type { SendRequestBody } from './schema.ts';

export type SendRequestRow = typeof sendRequests.$inferSelect;

/** Who looks: the tenant, and whether only test rows are shown. */
export interface Viewer {
  tenantId: string;
  testOnly: boolean;
}

/** Messages of a request by status: created = E + V + OK + KO + B. */
export interface Counts {
  created: number;
  E: number;
  V: number;
  OK: number;
  KO: number;
  B: number;
}

const noCounts: Counts = { created: 0, E: 0, V: 0, OK: 0, KO: 0, B: 0 };

const visible = (viewer: Viewer) =>
  and(eq(sendRequests.tenantId, viewer.tenantId), viewer.testOnly ? eq(sendRequests.test, true) : undefined);

/** @throws AppError `not_found`. `lock` keeps others from changing it until the transaction ends. */
export async function getSendRequest(
  db: Db | Tx,
  viewer: Viewer,
  id: string,
  options: { lock?: boolean } = {},
): Promise<SendRequestRow> {
  const query = db
    .select()
    .from(sendRequests)
    .where(and(visible(viewer), eq(sendRequests.id, id)));
  const [row] = await (options.lock ? query.for('update') : query);
  if (row === undefined) throw notFound();
  return row;
}

/** Newest first. */
export function listSendRequests(
  db: Db,
  viewer: Viewer,
  page: { limit: number; before: string | null },
  filter: { status?: SendRequestRow['status']; origin?: string; contextRef?: string },
): Promise<SendRequestRow[]> {
  return db
    .select()
    .from(sendRequests)
    .where(
      and(
        visible(viewer),
        page.before === null ? undefined : lt(sendRequests.id, page.before),
        filter.status === undefined ? undefined : eq(sendRequests.status, filter.status),
        filter.origin === undefined ? undefined : eq(sendRequests.origin, filter.origin),
        filter.contextRef === undefined ? undefined : eq(sendRequests.contextRef, filter.contextRef),
      ),
    )
    .orderBy(desc(sendRequests.id))
    .limit(page.limit);
}

/** Counts by status, from the messages themselves: never a counter that could drift. */
export async function countMessages(
  db: Db | Tx,
  tenantId: string,
  sendRequestIds: readonly string[],
): Promise<Map<string, Counts>> {
  const counts = new Map(sendRequestIds.map((id) => [id, { ...noCounts }]));
  const rows = await db.execute<{
    send_request_id: string;
    status: Exclude<keyof Counts, 'created'>;
    count: number;
  }>(sql`
    select send_request_id, status, count(*)::int as count from messages
    where tenant_id = ${tenantId} and send_request_id = any(${idList(sendRequestIds)})
    group by send_request_id, status`);
  for (const { send_request_id, status, count } of rows) {
    const entry = counts.get(send_request_id);
    if (entry === undefined) continue;
    entry[status] += count;
    entry.created += count;
  }
  return counts;
}

/** The body of a draft; null once it was confirmed or cancelled. */
export async function findDraftBody(db: Db | Tx, tenantId: string, id: string): Promise<SendRequestBody | null> {
  const [row] = await db
    .select()
    .from(sendRequestDrafts)
    .where(and(eq(sendRequestDrafts.tenantId, tenantId), eq(sendRequestDrafts.sendRequestId, id)));
  return row === undefined ? null : (row.body as SendRequestBody);
}

/** Forgets the body of a draft that was confirmed or cancelled. */
export async function deleteDraftBody(tx: Tx, tenantId: string, id: string): Promise<void> {
  await tx
    .delete(sendRequestDrafts)
    .where(and(eq(sendRequestDrafts.tenantId, tenantId), eq(sendRequestDrafts.sendRequestId, id)));
}

/** A dedupe key of a row, and the message that it would belong to. */
export interface AskedKey {
  templateId: string;
  test: boolean;
  key: string;
  messageId: string;
  createdAt: Date;
}

function recordset(tenantId: string, keys: readonly AskedKey[]) {
  const rows = keys.map(({ templateId, test, key, messageId, createdAt }) => ({
    tenant_id: tenantId,
    template_id: templateId,
    test,
    key,
    message_id: messageId,
    created_at: createdAt,
  }));
  return sql`json_populate_recordset(null::dedupe_keys, ${JSON.stringify(rows)}::json)`;
}

/** The messages that these keys belong to already. */
export async function findKeyOwners(
  db: Db | Tx,
  tenantId: string,
  keys: readonly AskedKey[],
): Promise<{ templateId: string; key: string; messageId: string }[]> {
  if (keys.length === 0) return [];
  const owners = await db.execute<{ template_id: string; key: string; message_id: string }>(sql`
    select kept.template_id, kept.key, kept.message_id from dedupe_keys kept
    join ${recordset(tenantId, keys)} asked on asked.tenant_id = kept.tenant_id
      and asked.template_id = kept.template_id and asked.test = kept.test and asked.key = kept.key`);
  return [...owners].map((row) => ({ templateId: row.template_id, key: row.key, messageId: row.message_id }));
}

/** Takes the keys that are new; those that belong to a message stay with it. Waits for others that take the same. */
export async function takeDedupeKeys(tx: Tx, tenantId: string, keys: readonly AskedKey[]): Promise<void> {
  if (keys.length === 0) return;
  // Ordered, so that two requests with the same keys wait for each other and cannot deadlock.
  await tx.execute(sql`
    insert into dedupe_keys select * from ${recordset(tenantId, keys)} order by template_id, key on conflict do nothing`);
}
