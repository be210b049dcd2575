import type { Clock, NewId } from '../clock.ts';
import type { Tx } from '../db/client.ts';
import { type ApiKeyRow, createKey } from '../tenants/keys.ts';
import { serviceActor } from '../tenants/rights.ts';
import type { Secrets } from '../tenants/secrets.ts';
import { createTenant, type TenantRow, type TenantSettings } from '../tenants/store.ts';
import { createAccount } from './configure.ts';

/**
 * Adds an organisation with what it needs to begin: a first key with every right, and the simulator that messages
 * of test keys go to. Nothing that could reach a person is made implicitly.
 */
export async function provisionTenant(
  deps: { clock: Clock; newId: NewId; secrets: Secrets },
  tx: Tx,
  settings: TenantSettings & { name: string },
): Promise<{ tenant: TenantRow; key: ApiKeyRow; secret: string }> {
  const tenant = await createTenant(deps, tx, settings);
  await createAccount(deps, tx, tenant.id, serviceActor, {
    name: 'Simulator',
    channel: 'mail',
    driver: 'simulator',
    test: true,
  });
  const { row, secret } = await createKey(deps, tx, tenant.id, serviceActor, {
    name: 'First key',
    kind: 'live',
    scopes: ['admin'],
    unit: null,
    expiresAt: null,
  });
  return { tenant, key: row, secret };
}
