import { fastify } from 'fastify';
import type { Metrics } from '../reports/metrics.ts';
import { isReady } from '../reports/ready.ts';
import type { Runtime } from '../runtime.ts';

/** The port of operations: `/metrics` (Prometheus), and health for processes without an API. */
export async function startOpsServer(
  runtime: Runtime,
  metrics: Metrics,
): Promise<{ port: number; close(): Promise<void> }> {
  const app = fastify({ forceCloseConnections: true });
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.render()));
  app.get('/health/live', async () => ({ status: 'ok' }));
  app.get('/health/ready', async (_request, reply) => {
    const ready = await isReady(runtime.db);
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'unavailable' });
  });
  await app.listen({ host: runtime.config.host, port: runtime.config.opsPort });
  const address = app.server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : runtime.config.opsPort,
    close: () => app.close(),
  };
}
