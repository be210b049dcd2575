import { join } from 'node:path';
import type { AccountRow } from '../../accounts/store.ts';
import type { ChannelDriver } from '../../channels/channel.ts';
import { findDriver } from '../../channels/drivers.ts';
import type { Config } from '../../config.ts';
import { mayReachPeople } from '../../messages/content.ts';
import type { Secrets } from '../../tenants/secrets.ts';
import { openSecrets } from '../../tenants/secrets.ts';
import { concurrencyOf } from './rhythm.ts';

/** What making drivers needs. */
export interface DriverDeps {
  secrets: Secrets;
  config: Pick<Config, 'deployment' | 'safeRecipientEmail' | 'dataDirectory' | 'smtpAllowedNetworks'>;
}

/** A driver in use, or why the account cannot be used. */
export type TakenDriver =
  | { kind: 'taken'; driver: ChannelDriver; release(): void }
  | { kind: 'refused'; reason: 'driver_unknown' | 'safe_recipient_missing' | 'settings_unreadable' };

/** The driver of one account on this worker. */
export interface DriverHolder {
  /** The driver of the account as it is now; `release` it once its deliveries are over. */
  take(account: AccountRow): TakenDriver;
  /** Ends idle connections, in-flight deliveries first. */
  close(): Promise<void>;
}

interface Made {
  key: string;
  driver: ChannelDriver;
  users: number;
  retired: boolean;
}

/**
 * Keeps the account's driver, and makes a new one when its settings change. Who works with the old one ends with it:
 * it is closed when nobody uses it any more.
 */
export function createDriverHolder(deps: DriverDeps): DriverHolder {
  let current: Made | null = null;

  function retire(made: Made | null): void {
    if (made === null) return;
    made.retired = true;
    if (made.users === 0) void made.driver.close().catch(() => undefined);
  }

  function make(account: AccountRow, key: string): Made | null {
    try {
      const driver = findDriver(account.driver)?.create(account.settings, openSecrets(deps.secrets, account), {
        outboxDirectory: join(deps.config.dataDirectory, 'outbox'),
        allowedNetworks: deps.config.smtpAllowedNetworks,
        connections: concurrencyOf(account),
      });
      return driver === undefined ? null : { key, driver, users: 0, retired: false };
    } catch {
      // A key of the secrets that this process does not have, or settings of another version: the account's trouble.
      return null;
    }
  }

  return {
    take(account) {
      const definition = findDriver(account.driver);
      if (definition === undefined) return { kind: 'refused', reason: 'driver_unknown' };
      // Fails closed: without a safe recipient, a test deployment uses only what reaches nobody.
      if (definition.reachesPeople && !mayReachPeople(deps.config)) {
        return { kind: 'refused', reason: 'safe_recipient_missing' };
      }
      const key = JSON.stringify([
        account.settings,
        account.sealedSecrets,
        account.concurrency,
        account.waitAfterSendMs,
      ]);
      if (current?.key !== key) {
        retire(current);
        current = make(account, key);
      }
      const made = current;
      if (made === null) return { kind: 'refused', reason: 'settings_unreadable' };
      made.users += 1;
      return {
        kind: 'taken',
        driver: made.driver,
        release() {
          made.users -= 1;
          if (made.retired && made.users === 0) void made.driver.close().catch(() => undefined);
        },
      };
    },
    async close() {
      await current?.driver.close();
      current = null;
    },
  };
}
