import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import { openSecrets } from '../accounts/configure.ts';
import { type AccountRow, getAccount, pauseAccount } from '../accounts/store.ts';
import type { ChannelDriver } from '../channels/channel.ts';
import { findDriver } from '../channels/drivers.ts';
import type { Config } from '../config.ts';
import { channelAccounts } from '../db/tables/dispatch.ts';
import { tenants } from '../db/tables/tenants.ts';
import { mayReachPeople, type Redirect, redirectOf } from '../messages/content.ts';
import { serviceActor } from '../tenants/rights.ts';
import type { Secrets } from '../tenants/secrets.ts';
import type { ClaimDeps } from './claim.ts';
import { type Claimed, returnClaimed } from './claim.ts';
import { type Delivered, deliverMessage, type ReadyMessage } from './deliver.ts';
import { type OpenMessage, openWindow } from './open-window.ts';
import { type PrepareDeps, prepareWindow } from './prepare-window.ts';
import { concurrencyOf, heldUntil, leaseConnections, returnConnections, windowSize } from './rhythm.ts';
import { settleWindow } from './settle.ts';

/** What a lane works with. */
export type LaneDeps = ClaimDeps &
  PrepareDeps & {
    workerId: string;
    secrets: Secrets;
    config: Pick<Config, 'deployment' | 'safeRecipientEmail' | 'dataDirectory' | 'smtpAllowedNetworks'>;
    random(): number;
    probe(step: string): void | Promise<void>;
    /** Told of every attempt, for the log and the metrics. */
    attempted(account: AccountRow, delivered: Delivered): void;
  };

/** What the worker knows of the jobs it holds. */
export interface JobWatch {
  /** Whether a send of this message may still begin: its job is ours, and the worker has been heard of. */
  mayBegin(claimed: Claimed): boolean;
  /** The job is settled or given back. */
  forget(claimed: readonly Claimed[]): void;
}

/** A renewal this often keeps the lease well before its end. */
const renewLeaseMs = 3_000;
const leasePollMs = 250;
const leasePatience = 40;

interface LaneAccount {
  row: AccountRow;
  redirect: Redirect | null;
}

/** The messages of one account that this worker has claimed, sent in half-windows under the account's rhythm. */
export interface AccountLane {
  accountId: string;
  /** Claimed messages that are not begun. */
  pending(): number;
  add(claimed: readonly Claimed[]): void;
  /** Works until nothing is pending, or `stopping` is aborted; what is left then goes back to wait. */
  run(stopping: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

async function readAccount(deps: LaneDeps, tenantId: string, accountId: string): Promise<LaneAccount> {
  const [found] = await deps.db
    .select({ row: channelAccounts, testRedirect: tenants.testRedirect, locale: tenants.locale })
    .from(channelAccounts)
    .innerJoin(tenants, eq(tenants.id, channelAccounts.tenantId))
    .where(eq(channelAccounts.id, accountId));
  if (found === undefined) return { row: await getAccount(deps.db, tenantId, accountId), redirect: null };
  return { row: found.row, redirect: redirectOf(deps.config, found) };
}

/** The account's driver, made anew when its settings change. */
function createDriverHolder(deps: LaneDeps) {
  let current: { key: string; driver: ChannelDriver } | null = null;
  return {
    async driverOf(account: AccountRow): Promise<ChannelDriver | null> {
      const definition = findDriver(account.driver);
      if (definition === undefined) return null;
      // Fails closed: without a safe recipient, a test deployment uses only what reaches nobody.
      if (definition.reachesPeople && !mayReachPeople(deps.config)) return null;
      const key = JSON.stringify([account.settings, account.sealedSecrets, account.concurrency]);
      if (current?.key === key) return current.driver;
      await current?.driver.close();
      const driver = definition.create(account.settings, openSecrets(deps.secrets, account), {
        outboxDirectory: join(deps.config.dataDirectory, 'outbox'),
        allowedNetworks: deps.config.smtpAllowedNetworks,
        connections: concurrencyOf(account),
      });
      current = { key, driver };
      return driver;
    },
    async close() {
      await current?.driver.close();
      current = null;
    },
  };
}

/** Makes the lane of one account. */
export function createAccountLane(deps: LaneDeps, watch: JobWatch, tenantId: string, accountId: string): AccountLane {
  const queue: Claimed[] = [];
  const holder = createDriverHolder(deps);
  let connections = 0;
  let leasedAt = Number.NEGATIVE_INFINITY;

  async function giveBack(claimed: readonly Claimed[], releaseAt?: Date): Promise<void> {
    await returnClaimed(deps, claimed, releaseAt);
    watch.forget(claimed);
  }

  /** Connections this worker may use now; waits its turn for a while. 0: it should give its messages back. */
  async function lease(account: AccountRow, stopping: AbortSignal): Promise<number> {
    if (connections > 0 && performance.now() - leasedAt < renewLeaseMs) return connections;
    const concurrency = concurrencyOf(account);
    for (let turn = 0; turn < leasePatience && !stopping.aborted; turn += 1) {
      connections = await leaseConnections(deps.db, account, {
        workerId: deps.workerId,
        concurrency,
        now: deps.clock.now(),
      });
      leasedAt = performance.now();
      if (connections > 0) return connections;
      await deps.clock.wait(leasePollMs, stopping);
    }
    return 0;
  }

  async function deliverAll(account: LaneAccount, driver: ChannelDriver, ready: readonly ReadyMessage[]) {
    const carriage = {
      driver,
      redirect: account.redirect,
      mayBegin: (open: OpenMessage) => watch.mayBegin(open.claimed),
    };
    const one = async (message: ReadyMessage): Promise<Delivered> => {
      const wait = (message.open.slotAt?.getTime() ?? 0) - deps.clock.now().getTime();
      if (wait > 0) await deps.clock.wait(wait);
      const delivered = await deliverMessage(deps, carriage, message);
      deps.attempted(account.row, delivered);
      return delivered;
    };
    return Promise.all(ready.map(one));
  }

  /** Settles the last half-window and opens the next in one commit. */
  async function turn(account: LaneAccount, last: readonly Delivered[], next: readonly Claimed[]) {
    await deps.probe('settle.begin');
    const opened = await deps.db.transaction(async (tx) => {
      await settleWindow(deps, tx, account.row, last);
      await deps.probe('settle.inside');
      return openWindow(deps, tx, account.row, next);
    });
    watch.forget(last.map(({ open }) => open.claimed));
    const openedIds = new Set(opened.map(({ row }) => row.id));
    watch.forget(next.filter(({ messageId }) => !openedIds.has(messageId)));
    await deps.probe('window.opened');
    return opened;
  }

  /** Why nothing may be begun on the account now; null when it may. */
  async function hindrance(account: LaneAccount, driver: ChannelDriver | null): Promise<Date | null> {
    const now = deps.clock.now();
    if (account.row.pausedAt !== null) return now;
    if (driver === null) {
      const target = { tenantId: account.row.tenantId, id: account.row.id, actor: serviceActor };
      const known = findDriver(account.row.driver) !== undefined;
      const reason = known ? 'safe_recipient_missing' : 'driver_unknown';
      await deps.db.transaction((tx) => pauseAccount(deps, tx, target, reason));
      return now;
    }
    return heldUntil(account.row, now);
  }

  /** One half: as long as there is something, take a half-window, send it, and settle it with the next. */
  async function half(stopping: AbortSignal): Promise<void> {
    let last: Delivered[] = [];
    let account: LaneAccount | null = null;
    while (queue.length > 0 && !stopping.aborted) {
      account = await readAccount(deps, tenantId, accountId);
      const driver = await holder.driverOf(account.row);
      const until = await hindrance(account, driver);
      if (until !== null || driver === null) {
        await giveBack(queue.splice(0), until ?? deps.clock.now());
        break;
      }
      const share = await lease(account.row, stopping);
      if (share === 0) {
        await giveBack(queue.splice(0));
        break;
      }
      const next = queue.splice(0, windowSize(account.row, share));
      const opened = await turn(account, last, next);
      last = [];
      const { ready, stopped } = await prepareWindow(deps, opened, account.redirect);
      for (const one of stopped) deps.attempted(account.row, one);
      last = [...stopped, ...(await deliverAll(account, driver, ready))];
    }
    if (account !== null && last.length > 0) await turn(account, last, []);
  }

  return {
    accountId,
    pending: () => queue.length,
    add(claimed) {
      queue.push(...claimed);
    },
    async run(stopping) {
      try {
        const account = await readAccount(deps, tenantId, accountId);
        const halves = account.row.waitAfterSendMs > 0 ? 1 : 2;
        const ended = await Promise.allSettled(Array.from({ length: halves }, () => half(stopping)));
        await giveBack(queue.splice(0));
        const failed = ended.find((one) => one.status === 'rejected');
        if (failed !== undefined) throw failed.reason;
      } finally {
        connections = 0;
        await returnConnections(deps.db, accountId, deps.workerId);
      }
    },
    close: () => holder.close(),
  };
}
