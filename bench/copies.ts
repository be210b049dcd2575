/** The bare other side of the writing benches: the rows that the service has written, written again with new ids. */
import type postgres from 'postgres';
import { v7 as uuidv7 } from 'uuid';

type Row = Record<string, unknown>;

/** What one send request has written. */
export interface WrittenRows {
  send_requests: Row[];
  messages: Row[];
  transitions: Row[];
  events: Row[];
  idempotency_keys: Row[];
}

const tables = ['send_requests', 'messages', 'transitions', 'events', 'idempotency_keys'] as const;

/** Reads what a send request has written, its idempotent answer included. */
export async function readWritten(sql: postgres.Sql, tenantId: string, sendRequestId: string): Promise<WrittenRows> {
  const messages =
    await sql`select * from messages where tenant_id = ${tenantId} and send_request_id = ${sendRequestId}`;
  const ids = [sendRequestId, ...messages.map(({ id }) => String(id))];
  return {
    send_requests: await sql`select * from send_requests where tenant_id = ${tenantId} and id = ${sendRequestId}`,
    messages,
    transitions: await sql`select * from transitions where tenant_id = ${tenantId} and message_id in ${sql(ids)}`,
    events: await sql`select * from events where tenant_id = ${tenantId} and resource_id in ${sql(ids)}`,
    idempotency_keys: await sql`
      select * from idempotency_keys where tenant_id = ${tenantId} and answer ->> 'id' = ${sendRequestId}`,
  };
}

/** The same rows as of another request: new ids, the same references between them, events not numbered yet. */
export function renewed(written: WrittenRows): WrittenRows {
  const ids = new Map<unknown, string>();
  const renew = (id: unknown): string => {
    const known = ids.get(id) ?? uuidv7();
    ids.set(id, known);
    return known;
  };
  return {
    send_requests: written.send_requests.map((row) => ({ ...row, id: renew(row.id) })),
    messages: written.messages.map((row) => ({
      ...row,
      id: renew(row.id),
      send_request_id: renew(row.send_request_id),
    })),
    transitions: written.transitions.map((row) => ({ ...row, id: uuidv7(), message_id: renew(row.message_id) })),
    events: written.events.map((row) => ({
      ...row,
      id: uuidv7(),
      resource_id: renew(row.resource_id),
      sequence: null,
    })),
    idempotency_keys: written.idempotency_keys.map((row) => ({ ...row, key: uuidv7() })),
  };
}

/** Inserts them with multi-row statements, as few as PostgreSQL’s limit of parameters allows, in one transaction. */
export async function insertWritten(sql: postgres.Sql, written: WrittenRows): Promise<void> {
  await sql.begin(async (tx) => {
    for (const table of tables) {
      const rows = written[table];
      const most = Math.floor(65_000 / Math.max(1, Object.keys(rows[0] ?? {}).length));
      for (let start = 0; start < rows.length; start += most) {
        await tx`insert into ${tx(table)} ${tx(rows.slice(start, start + most) as never)}`;
      }
    }
  });
}
