import { and, desc, eq, lt, type SQL, sql } from 'drizzle-orm';
import type { Db, Tx } from '../db/client.ts';
import { idList } from '../db/rows.ts';
import { sendRequestDrafts, sendRequests } from '../db/tables/messages.ts';
import { notFound } from '../errors.ts';
import { erasedDedupeKeys } from '../personal-data/erasure/kept-keys.ts';
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

/** Those of a request who got nothing, by status and reason: the most frequent first. */
export async function countLeftOut(
  db: Db,
  tenantId: string,
  sendRequestId: string,
): Promise<{ status: 'B' | 'KO'; reason: string; count: number }[]> {
  const rows = await db.execute<{ status: 'B' | 'KO'; reason: string; count: number }>(sql`
    select status, reason, count(*)::int as count from messages
    where tenant_id = ${tenantId} and send_request_id = ${sendRequestId} and status in ('B', 'KO')
    group by status, reason order by count desc, status, reason`);
  return [...rows];
}

/** Copies of a request's messages that a rule left out, whatever became of the message: the most frequent reason first. */
export async function countCopiesLeftOut(
  db: Db,
  tenantId: string,
  sendRequestId: string,
): Promise<{ reason: string; count: number }[]> {
  // Without a reason of its own a copy has that of its message.
  const rows = await db.execute<{ reason: string; count: number }>(sql`
    select copy->>'reason' as reason, count(*)::int as count
    from messages cross join lateral jsonb_array_elements(copies) as copy
    where tenant_id = ${tenantId} and send_request_id = ${sendRequestId}
      and copy->>'outcome' in ('blocked', 'skipped') and copy->>'reason' is not null
    group by 1 order by count desc, 1`);
  return [...rows];
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

type KeyDeps = Parameters<typeof erasedDedupeKeys>[0];

/** The keys as rows; `hidden` is what they are kept as once their message was erased. */
async function recordset(deps: KeyDeps, db: Db | Tx, tenantId: string, keys: readonly AskedKey[]) {
  const names = keys.map(({ key }) => key);
  const hidden = await erasedDedupeKeys(deps, db, tenantId, names);
  const rows = keys.map(({ templateId, test, key, messageId, createdAt }, place) => ({
    template_id: templateId,
    test,
    key,
    hidden: hidden?.[place] ?? null,
    message_id: messageId,
    created_at: createdAt,
  }));
  return sql`json_to_recordset(${JSON.stringify(rows)}::json) as asked(
    template_id uuid, test boolean, key text, hidden text, message_id uuid, created_at timestamptz)`;
}

const sameKey = (tenantId: string, key: SQL) => sql`
  kept.tenant_id = ${tenantId} and kept.template_id = asked.template_id and kept.test = asked.test and kept.key = ${key}`;

/** The messages that these keys belong to already. */
export async function findKeyOwners(
  deps: KeyDeps,
  db: Db | Tx,
  tenantId: string,
  keys: readonly AskedKey[],
): Promise<{ templateId: string; key: string; messageId: string }[]> {
  if (keys.length === 0) return [];
  const owners = await db.execute<{ template_id: string; key: string; message_id: string }>(sql`
    select kept.template_id, asked.key, kept.message_id from ${await recordset(deps, db, tenantId, keys)}
    join dedupe_keys kept on ${sameKey(tenantId, sql`any(array[asked.key, asked.hidden])`)}`);
  return [...owners].map((row) => ({ templateId: row.template_id, key: row.key, messageId: row.message_id }));
}

/** Takes the keys that are new; those that belong to a message stay with it. Waits for others that take the same. */
export async function takeDedupeKeys(
  deps: KeyDeps,
  tx: Tx,
  tenantId: string,
  keys: readonly AskedKey[],
): Promise<void> {
  if (keys.length === 0) return;
  // Ordered, so that two requests with the same keys wait for each other and cannot deadlock.
  await tx.execute(sql`
    insert into dedupe_keys (tenant_id, template_id, test, key, message_id, created_at)
    select ${tenantId}, template_id, test, key, message_id, created_at
    from ${await recordset(deps, tx, tenantId, keys)}
    where not exists (select 1 from dedupe_keys kept where ${sameKey(tenantId, sql`asked.hidden`)})
    order by template_id, key on conflict do nothing`);
}
