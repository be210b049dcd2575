import type { Db } from '../db/client.ts';
import { isMigrated } from '../db/migrated.ts';

const patienceMs = 2_000;

/** Whether the database answers within two seconds and has the service's tables. Never rejects. */
export async function isReady(db: Db): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), patienceMs);
  const asked = isMigrated(db).catch(() => false);
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}
