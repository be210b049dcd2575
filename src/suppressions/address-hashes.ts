import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { and, eq, sql } from 'drizzle-orm';
import { type BoundedCache, createBoundedCache } from '../bounded-cache.ts';
import type { Clock } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { prepareOnce } from '../db/prepare-once.ts';
import { suppressionKeys } from '../db/tables/permissions.ts';
import type { Secrets } from '../tenants/secrets.ts';

/** Hashes of addresses, under a key that each tenant has of its own. */
export interface AddressHashes {
  /**
   * The hashes of addresses (`parseAddrSpec`: normalized) on a channel, in their order; null when the tenant has no key:
   * then nothing was ever suppressed. Asks the database only until the key is known.
   * @throws Error when the key of `SECRETS_KEY` that sealed it is gone: nothing may leave unchecked.
   */
  of(db: Db | Tx, tenantId: string, channel: string, addresses: readonly string[]): Promise<string[] | null>;
  /**
   * Makes the tenant's key if it has none, and seals it anew where an older key of `SECRETS_KEY` did. Not in a
   * transaction that may fail: what was hashed with a key that is not kept would never be found again.
   */
  prepare(db: Db, tenantId: string): Promise<void>;
}

/** Tenants whose keys one process keeps open. */
const tenantsKept = 10_000;

const sealedKeyOf = prepareOnce((db) =>
  db
    .select({ sealedKey: suppressionKeys.sealedKey })
    .from(suppressionKeys)
    .where(eq(suppressionKeys.tenantId, sql.placeholder('tenantId'))),
);

async function readKey(secrets: Secrets, keys: BoundedCache<KeyObject>, db: Db | Tx, tenantId: string) {
  const known = keys.get(tenantId);
  if (known !== undefined) return known;
  const [row] = await sealedKeyOf(db).execute({ tenantId });
  if (row === undefined) return null;
  const key = createSecretKey(Buffer.from(secrets.open(row.sealedKey), 'base64'));
  keys.set(tenantId, key, 1);
  return key;
}

/** Makes the address hashes of one process. */
export function createAddressHashes({ clock, secrets }: { clock: Clock; secrets: Secrets }): AddressHashes {
  const keys = createBoundedCache<KeyObject>(tenantsKept);
  return {
    async of(db, tenantId, channel, addresses) {
      const key = await readKey(secrets, keys, db, tenantId);
      if (key === null) return null;
      return addresses.map((address) => createHmac('sha256', key).update(`${channel}:${address}`).digest('base64url'));
    },
    async prepare(db, tenantId) {
      const now = clock.now();
      const [row] = await sealedKeyOf(db).execute({ tenantId });
      if (row === undefined) {
        const sealedKey = secrets.seal(randomBytes(32).toString('base64'));
        const made = { tenantId, sealedKey, createdAt: now, updatedAt: now };
        // Two may make one at once: the first holds for both.
        await db.insert(suppressionKeys).values(made).onConflictDoNothing();
      } else if (!secrets.isCurrent(row.sealedKey)) {
        await db
          .update(suppressionKeys)
          .set({ sealedKey: secrets.seal(secrets.open(row.sealedKey)), updatedAt: now })
          .where(and(eq(suppressionKeys.tenantId, tenantId), eq(suppressionKeys.sealedKey, row.sealedKey)));
      }
    },
  };
}
