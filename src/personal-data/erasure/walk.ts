import { sql } from 'drizzle-orm';
import type { Tx } from '../../db/client.ts';

/** Messages of a tenant between two ids: `after` excluded, `to` included. */
export interface Span {
  after: string;
  to: string;
}

/** Before every id. */
export const firstId = '00000000-0000-0000-0000-000000000000';

/** Messages that one step of a walk looks at: few enough that it ends in well under a second. */
const messagesPerSpan = 20_000;

/**
 * The next span of a walk over all messages of a tenant, in the order of their ids; null at the end. What is looked for
 * has no index: it would cost every message that is sent, for what is asked once in a while.
 */
export async function nextSpan(tx: Tx, tenantId: string, after: string): Promise<Span | null> {
  const [row] = await tx.execute<{ to: string | null }>(sql`
    select max(id::text) as "to" from (
      select id from messages where tenant_id = ${tenantId} and id > ${after} order by id limit ${messagesPerSpan}) span`);
  return row?.to == null ? null : { after, to: row.to };
}

/** The first id (UUIDv7) that can have been made at this time. */
export function firstIdAt(time: Date): string {
  const digits = Math.max(0, time.getTime()).toString(16).padStart(12, '0').slice(-12);
  return `${digits.slice(0, 8)}-${digits.slice(8)}-7000-8000-000000000000`;
}
