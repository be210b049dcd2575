import { createBackground } from './background.ts';
import { namingSetting, readConfig, SettingError } from './config.ts';
import { startOpsServer } from './http/ops.ts';
import { createMetrics } from './reports/metrics.ts';
import { createRuntime } from './runtime.ts';
import { stopOnSignals } from './shutdown.ts';

/** The dispatcher and all other background work. Any number of these may run on one database. */
async function main(): Promise<void> {
  const config = readConfig();
  if (config.databaseUrl === null) throw new SettingError('DATABASE_URL', 'is needed (npm start runs without it)');
  const runtime = await createRuntime(config, { databaseUrl: config.databaseUrl, name: 'worker', supervise: true });
  const metrics = createMetrics(runtime);
  const background = createBackground(runtime, metrics);
  const ops = await namingSetting('OPS_PORT', startOpsServer(runtime, metrics), 'HOST');
  background.start();
  runtime.log.info({ workerId: runtime.workerId, opsPort: ops.port }, 'worker.started');
  stopOnSignals(runtime.log, async () => {
    await background.stop();
    await ops.close();
    await runtime.close();
  });
}

await main().catch((error: unknown) => {
  console.error(error instanceof SettingError ? error.message : error);
  process.exit(1);
});
