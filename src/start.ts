import { join } from 'node:path';
import { createAccount } from './accounts/configure.ts';
import { provisionTenant } from './accounts/provision-tenant.ts';
import { createBackground } from './background.ts';
import { type Config, namingSetting, readConfig, SettingError } from './config.ts';
import { startEmbeddedPostgres } from './db/embedded.ts';
import { buildApp } from './http/app.ts';
import { startOpsServer } from './http/ops.ts';
import { migrate } from './migrate.ts';
import { createMetrics } from './reports/metrics.ts';
import { createLogger, createRuntime, type Runtime } from './runtime.ts';
import { stopOnSignals } from './shutdown.ts';
import { createKey } from './tenants/keys.ts';
import { serviceActor } from './tenants/rights.ts';
import { findTenantByName } from './tenants/store.ts';

/** The organisation that is made on the embedded database. */
const demoTenantName = 'demo';

/** A service that runs in this process: API and worker. */
export interface RunningService {
  runtime: Runtime;
  url: string;
  opsUrl: string;
  outboxDirectory: string;
  /**
   * The tenant `demo`: made on the embedded database only. `firstKey` has every right and is known
   * only to the start that made the tenant; `newKey` makes another one.
   */
  demo: { id: string; name: string; firstKey: string | null; newKey(name: string): Promise<string> } | null;
  stop(): Promise<void>;
}

/** The tenant `demo` with an account of the `outbox` driver, made at the first start. */
async function ensureDemoTenant(runtime: Runtime): Promise<NonNullable<RunningService['demo']>> {
  const { id, firstKey } = await runtime.db.transaction(async (tx) => {
    const found = await findTenantByName(tx, demoTenantName);
    if (found !== null) return { id: found.id, firstKey: null };
    const { tenant, secret } = await provisionTenant(runtime, tx, { name: demoTenantName });
    await createAccount(runtime, tx, tenant.id, serviceActor, { name: 'Outbox', channel: 'mail', driver: 'outbox' });
    return { id: tenant.id, firstKey: secret };
  });
  return {
    id,
    name: demoTenantName,
    firstKey,
    async newKey(name) {
      const key = { name, kind: 'live', scopes: ['admin'], unit: null, expiresAt: null } as const;
      const { secret } = await runtime.db.transaction((tx) => createKey(runtime, tx, id, serviceActor, key));
      return secret;
    },
  };
}

async function openDatabase(config: Readonly<Config>, onCrash: (reason: string) => void) {
  if (config.databaseUrl !== null) return { url: config.databaseUrl, stop: async () => undefined };
  return namingSetting('DATA_DIR', startEmbeddedPostgres({ dataDirectory: config.dataDirectory, onCrash }));
}

/**
 * Starts everything in this process: the embedded PostgreSQL unless `DATABASE_URL` is set, migrations, API, worker.
 * @throws SettingError, or an Error of one line when the database cannot be started.
 */
export async function startService(config: Readonly<Config> = readConfig()): Promise<RunningService> {
  const log = createLogger(config.logLevel);
  const database = await openDatabase(config, (reason) => {
    log.fatal({ reason }, 'database.crashed');
    process.exit(1);
  });
  await namingSetting('DATABASE_URL', migrate({ databaseUrl: database.url }));
  const runtime = await createRuntime(config, { databaseUrl: database.url, name: 'start', supervise: true, log });
  const metrics = createMetrics(runtime);
  const app = await buildApp(runtime);
  const background = createBackground(runtime, metrics);
  const ops = await namingSetting('OPS_PORT', startOpsServer(runtime, metrics), 'HOST');
  const url = await namingSetting('PORT', app.listen({ host: config.host, port: config.port }), 'HOST');
  // After everything that may fail: the first key of the tenant is shown once.
  const demo = config.databaseUrl === null ? await ensureDemoTenant(runtime) : null;
  background.start();
  return {
    runtime,
    url,
    opsUrl: `http://${config.host}:${ops.port}`,
    outboxDirectory: join(config.dataDirectory, 'outbox'),
    demo,
    async stop() {
      // At once: a slow upload must not keep the worker claiming.
      await Promise.all([background.stop(), app.close()]);
      await ops.close();
      await runtime.close();
      await database.stop();
    },
  };
}

async function main(): Promise<void> {
  const service = await startService();
  console.log(`API      ${service.url}`);
  console.log(`Docs     ${service.url}/docs`);
  console.log(`Metrics  ${service.opsUrl}/metrics`);
  if (service.demo !== null) console.log(`Mails    ${service.outboxDirectory}/mail/*.eml`);
  if (service.demo?.firstKey != null) {
    console.log(`Key      ${service.demo.firstKey}   (tenant ${service.demo.name}; shown this once)`);
  }
  stopOnSignals(service.runtime.log, service.stop);
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    console.error(error instanceof SettingError ? error.message : (error as Error).message);
    process.exit(1);
  });
}
