import { namingSetting, readConfig, SettingError } from './config.ts';
import { buildApp } from './http/app.ts';
import { startOpsServer } from './http/ops.ts';
import { createMetrics } from './reports/metrics.ts';
import { createRuntime } from './runtime.ts';
import { stopOnSignals } from './shutdown.ts';

/** The API alone, on a database that `migrate` has made ready. */
async function main(): Promise<void> {
  const config = readConfig();
  if (config.databaseUrl === null) throw new SettingError('DATABASE_URL', 'is needed (npm start runs without it)');
  const runtime = await createRuntime(config, { databaseUrl: config.databaseUrl, name: 'server', supervise: false });
  const app = await buildApp(runtime);
  const ops = await namingSetting('OPS_PORT', startOpsServer(runtime, createMetrics(runtime)), 'HOST');
  const url = await namingSetting('PORT', app.listen({ host: config.host, port: config.port }), 'HOST');
  runtime.log.info({ url, opsPort: ops.port }, 'server.listening');
  stopOnSignals(runtime.log, async () => {
    await app.close();
    await ops.close();
    await runtime.close();
  });
}

await main().catch((error: unknown) => {
  console.error(error instanceof SettingError ? error.message : error);
  process.exit(1);
});
