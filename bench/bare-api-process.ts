/** The bare side of `single`: a Fastify route that writes the rows of one message in one transaction, and nothing else. */
import { fastify } from 'fastify';
import postgres from 'postgres';
import { insertWritten, renewed, type WrittenRows } from './copies.ts';

/** What the parent says: the database, and the rows of one send request as they were read from it. */
export interface BareApiOrder {
  databaseUrl: string;
  connections: number;
  written: WrittenRows;
}

/** Dates come over the process boundary as text. */
function revived(written: WrittenRows): WrittenRows {
  const revive = (row: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        typeof value === 'string' && name.endsWith('_at')
          ? new Date(value)
          : name === 'at'
            ? new Date(String(value))
            : value,
      ]),
    );
  return {
    send_requests: written.send_requests.map(revive),
    messages: written.messages.map(revive),
    transitions: written.transitions.map(revive),
    events: written.events.map(revive),
    idempotency_keys: written.idempotency_keys.map(revive),
  };
}

process.once('message', async ({ databaseUrl, connections, written }: BareApiOrder) => {
  const sql = postgres(databaseUrl, { max: connections, onnotice: () => undefined });
  const rows = revived(written);
  const app = fastify();
  app.post('/', async (_request, reply) => {
    await insertWritten(sql, renewed(rows));
    return reply.code(201).send({ ok: true });
  });
  process.send?.({ url: await app.listen({ host: '127.0.0.1', port: 0 }) });
});
process.on('disconnect', () => process.exit(0));
