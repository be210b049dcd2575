import { and, asc, eq, gt, isNotNull, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { at, insertIntoAll, rowsFor, type TableRows } from '../db/rows.ts';
import { eventCounters, events } from '../db/tables/events.ts';

/** What happened, to be told to the caller. `data` has ids, statuses and codes only. */
export interface NewEvent {
  tenantId: string;
  type: EventType;
  test: boolean;
  resourceId: string;
  data: Record<string, unknown>;
}

/** Every type of event. */
export const eventTypes = [
  'send-request.accepted',
  'send-request.cancelled',
  'message.created',
  'message.validated',
  'message.blocked',
  'message.corrected',
  'message.resent',
  'message.resolved',
  'message.sent',
  'message.failed',
  'message.retry-planned',
  'message.uncertain',
  'message.copy-failed',
  'channel-account.paused',
  'channel-account.resumed',
  'operation.finished',
  'template.disabled',
  'suppression.created',
  'suppression.lifted',
  'recipient.unsubscribed',
] as const;

export type EventType = (typeof eventTypes)[number];

/** Rows of events, still without a number. */
export function eventRows(deps: { clock: Clock; newId: NewId }, list: readonly NewEvent[]): TableRows {
  const now = deps.clock.now();
  return rowsFor(
    events,
    list.map((event) => ({ ...event, id: deps.newId(), at: now, sequence: null })),
  );
}

/** Writes events in the transaction that causes them. */
export function recordEvents(deps: { clock: Clock; newId: NewId }, tx: Tx, list: readonly NewEvent[]): Promise<void> {
  return insertIntoAll(tx, [eventRows(deps, list)]);
}

/** Numbered events after `after`, in order, at most `limit`. A test key sees test events only. */
export function listEvents(db: Db | Tx, scope: { tenantId: string; testOnly: boolean }, after: number, limit: number) {
  return db
    .select()
    .from(events)
    .where(
      and(
        eq(events.tenantId, scope.tenantId),
        isNotNull(events.sequence),
        gt(events.sequence, after),
        scope.testOnly ? eq(events.test, true) : undefined,
      ),
    )
    .orderBy(asc(events.sequence))
    .limit(limit);
}

/**
 * Numbers committed events, per tenant and without gaps, in the order of their ids.
 * Only the holder of the sequencer's lease may call it: two at once would wait for each other's counters.
 * @returns how many were numbered.
 */
export async function numberEvents(tx: Tx, limit: number): Promise<number> {
  const result = await tx.execute<{ tenant_id: string; count: number }>(sql`
    with pending as (
      select tenant_id, id, row_number() over (partition by tenant_id order by id) as place
      from (select tenant_id, id from events where sequence is null order by tenant_id, id limit ${limit}) as unnumbered
    ), counted as (
      insert into event_counters (tenant_id, last_sequence)
      select tenant_id, count(*) from pending group by tenant_id
      on conflict (tenant_id) do update set last_sequence = event_counters.last_sequence + excluded.last_sequence
      returning tenant_id, last_sequence
    ), sizes as (select tenant_id, count(*) as size from pending group by tenant_id)
    update events set sequence = counted.last_sequence - sizes.size + pending.place
    from pending join counted using (tenant_id) join sizes using (tenant_id)
    where events.tenant_id = pending.tenant_id and events.id = pending.id and events.sequence is null`);
  return result.count;
}

/** The last number a tenant's feed has reached; 0 before the first. */
export async function lastSequence(db: Db | Tx, tenantId: string): Promise<number> {
  const [row] = await db.select().from(eventCounters).where(eq(eventCounters.tenantId, tenantId));
  return row?.lastSequence ?? 0;
}

/** Takes or keeps a lease for `seconds`. False when another process has it. */
export async function holdLease(
  db: Db | Tx,
  lease: { name: string; holder: string; now: Date; seconds: number },
): Promise<boolean> {
  const expiresAt = new Date(lease.now.getTime() + lease.seconds * 1_000);
  const rows = await db.execute(sql`
    insert into leases (name, holder, expires_at) values (${lease.name}, ${lease.holder}, ${at(expiresAt)})
    on conflict (name) do update set holder = excluded.holder, expires_at = excluded.expires_at
    where leases.holder = excluded.holder or leases.expires_at <= ${at(lease.now)}
    returning name`);
  return rows.length === 1;
}

/** Gives a lease back, so that another process need not wait for its end. */
export async function releaseLease(db: Db | Tx, lease: { name: string; holder: string }): Promise<void> {
  await db.execute(sql`delete from leases where name = ${lease.name} and holder = ${lease.holder}`);
}
