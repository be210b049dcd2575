import { join } from 'node:path';
import type { Outcome } from '../channels/channel.ts';
import { findDriver } from '../channels/drivers.ts';
import type { Config } from '../config.ts';
import type { Db } from '../db/client.ts';
import { openSecrets, type Secrets } from '../tenants/secrets.ts';
import { getAccount } from './store.ts';

/** What trying an account needs. */
interface TryAccountDeps {
  config: Pick<Config, 'dataDirectory' | 'smtpAllowedNetworks'>;
  secrets: Secrets;
  db: Db;
}

/**
 * Connects to an account's provider and logs in, without sending anything. What the provider answers is a value,
 * faults included; no transaction is held meanwhile. A paused account can be tried.
 * @throws AppError `not_found`.
 */
export async function tryAccount(deps: TryAccountDeps, tenantId: string, id: string): Promise<Outcome> {
  const account = await getAccount(deps.db, tenantId, id);
  const definition = findDriver(account.driver);
  if (definition === undefined) throw new Error(`account ${id} has the unknown driver ${account.driver}`);
  const driver = definition.create(account.settings, openSecrets(deps.secrets, account), {
    outboxDirectory: join(deps.config.dataDirectory, 'outbox'),
    allowedNetworks: deps.config.smtpAllowedNetworks,
    connections: 1,
  });
  try {
    return await driver.verify();
  } finally {
    await driver.close();
  }
}
