import { randomBytes } from 'node:crypto';
import { type Config, readConfig } from '../src/config.ts';
import { type RunningService, startService } from '../src/start.ts';
import { createApiClient } from './client.ts';

/** The service in this process, and a key of an organisation to play with. */
export interface DemoService {
  url: string;
  opsUrl: string;
  outboxDirectory: string;
  tenantName: string;
  key: string;
  stop(): Promise<void>;
}

/** On a database of one's own nothing is made by itself: the demo makes an organisation through the API, one each run. */
async function createTenant(url: string, platformKey: string): Promise<{ tenantName: string; key: string }> {
  const tenantName = `demo ${new Date().toISOString()}`;
  const platform = createApiClient(url, platformKey);
  const { key } = await platform.post<{ key: { secret: string } }>('/v1/tenants', { name: tenantName });
  const client = createApiClient(url, key.secret);
  await client.post('/v1/channel-accounts', { name: 'Outbox', channel: 'mail', driver: 'outbox' });
  return { tenantName, key: key.secret };
}

async function openTenant(service: RunningService, platformKey: string): Promise<{ tenantName: string; key: string }> {
  const { demo, url } = service;
  if (demo === null) return createTenant(url, platformKey);
  return { tenantName: demo.name, key: demo.firstKey ?? (await demo.newKey('demo run')) };
}

/**
 * Starts the service with the settings of the environment, on the embedded PostgreSQL or on `DATABASE_URL`.
 * @throws SettingError, or an Error of one line when the database or the port is not to be had.
 */
export async function startDemoService(): Promise<DemoService> {
  // The log would bury the tables: it says warnings only, unless asked otherwise.
  const settings = readConfig({ ...process.env, LOG_LEVEL: process.env.LOG_LEVEL || 'warn' });
  // Known to this process only when it is not set: enough to make an organisation.
  const platformKey = settings.platformKey ?? randomBytes(32).toString('base64url');
  const config: Readonly<Config> = Object.freeze({ ...settings, platformKey });
  const service = await startService(config);
  try {
    const { url, opsUrl, outboxDirectory } = service;
    const tenant = await openTenant(service, platformKey);
    return { url, opsUrl, outboxDirectory, ...tenant, stop: () => service.stop() };
  } catch (error) {
    await service.stop();
    throw error;
  }
}
