import { and, eq, sql } from 'drizzle-orm';
import { findDriver } from '../channels/drivers.ts';
import type { Clock, NewId } from '../clock.ts';
import type { Tx } from '../db/client.ts';
import { bringLaneForward } from '../db/lanes.ts';
import { at } from '../db/rows.ts';
import { channelAccounts } from '../db/tables/dispatch.ts';
import { AppError, invalidField } from '../errors.ts';
import { holdToSchema } from '../hold-to-schema.ts';
import { recordAudit } from '../tenants/audit.ts';
import type { Actor } from '../tenants/rights.ts';
import { readableSecrets, type Secrets, sealSecrets } from '../tenants/secrets.ts';
import { lockTenant } from '../tenants/store.ts';
import { type AccountRow, defaultAccount, getAccount } from './store.ts';

type Deps = { clock: Clock; newId: NewId; secrets: Secrets };

/** The rhythm as callers give it; what is absent keeps its value. */
export interface RhythmChange {
  waitAfterSendMs?: number;
  waitWhenIdleMs?: number;
  waitAfterErrorMs?: number;
  maxPerMinute?: number | null;
  concurrency?: number;
}

/** An account as it is asked for. */
export interface NewAccount {
  name: string;
  channel: 'mail';
  driver: string;
  settings?: Record<string, unknown>;
  secrets?: Record<string, string>;
  rhythm?: RhythmChange;
  onUncertain?: 'resend' | 'hold';
  isDefault?: boolean;
}

/** @param account.secrets null: not known. @throws AppError `unprocessable` naming the field the driver does not accept. */
function checkDriver(account: { driver: string; channel: string; settings: unknown; secrets: unknown }): void {
  const driver = findDriver(account.driver);
  if (driver === undefined || driver.channel !== account.channel) {
    throw invalidField('/driver', 'driver_unknown', `there is no driver ${account.driver} for ${account.channel}`);
  }
  holdToSchema(driver.settings, account.settings, '/settings');
  if (account.secrets !== null) holdToSchema(driver.secrets, account.secrets, '/secrets');
}

async function clearDefault(tx: Tx, tenantId: string, channel: 'mail'): Promise<void> {
  await tx
    .update(channelAccounts)
    .set({ isDefault: false })
    .where(
      and(
        eq(channelAccounts.tenantId, tenantId),
        eq(channelAccounts.channel, channel),
        eq(channelAccounts.test, false),
        eq(channelAccounts.isDefault, true),
      ),
    );
}

/** Messages that were validated while there was no account go to this one. */
async function adoptWaitingMessages(deps: Deps, tx: Tx, account: AccountRow): Promise<void> {
  await tx.execute(sql`
    with adopted as (
      update messages set channel_account_id = ${account.id}, reason = null, updated_at = ${at(deps.clock.now())}
      where tenant_id = ${account.tenantId} and channel = ${account.channel} and test = ${account.test}
        and status = 'V' and dispatch_state = 'waiting' and channel_account_id is null
      returning tenant_id, send_request_id, priority, release_at
    )
    insert into dispatch_lanes (tenant_id, channel_account_id, send_request_id, priority, next_release_at, revision)
    select tenant_id, ${account.id}, send_request_id, priority, min(release_at), 1
    from adopted group by tenant_id, send_request_id, priority
    ${bringLaneForward}`);
}

/**
 * Adds an account. A live account that is the first of its channel becomes the default unless told otherwise, and
 * takes the messages that were waiting for one.
 * @throws AppError `unprocessable` for an unknown driver or settings it does not accept.
 */
export async function createAccount(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  account: NewAccount & { test?: boolean },
): Promise<AccountRow> {
  const settings = account.settings ?? {};
  const secrets = account.secrets ?? {};
  checkDriver({ ...account, settings, secrets });
  const test = account.test ?? false;
  // Two first accounts at once would both become the default one.
  await lockTenant(tx, tenantId);
  const current = await defaultAccount(tx, tenantId, account.channel, test);
  const isDefault = account.isDefault ?? current === null;
  if (isDefault && !test) await clearDefault(tx, tenantId, account.channel);
  const now = deps.clock.now();
  const waitAfterSendMs = account.rhythm?.waitAfterSendMs ?? 0;
  const [row] = await tx
    .insert(channelAccounts)
    .values({
      tenantId,
      id: deps.newId(),
      name: account.name,
      channel: account.channel,
      driver: account.driver,
      settings,
      sealedSecrets: sealSecrets(deps.secrets, secrets),
      isDefault,
      test,
      waitAfterSendMs,
      waitWhenIdleMs: account.rhythm?.waitWhenIdleMs ?? 0,
      waitAfterErrorMs: account.rhythm?.waitAfterErrorMs ?? 0,
      maxPerMinute: account.rhythm?.maxPerMinute ?? null,
      concurrency: account.rhythm?.concurrency ?? (waitAfterSendMs > 0 ? 1 : 10),
      onUncertain: account.onUncertain ?? 'resend',
      createdAt: now,
      updatedAt: now,
    })
    .returning();
  if (row === undefined) throw new Error('the channel account was not inserted');
  if (row.isDefault) await adoptWaitingMessages(deps, tx, row);
  await recordAudit(deps, tx, {
    tenantId,
    actor,
    action: 'created',
    resourceType: 'channel-account',
    resourceId: row.id,
  });
  return row;
}

/**
 * Changes an account. Settings replace the whole of them; secrets are merged, so that one can be changed alone.
 * @throws AppError `not_found`, `precondition_failed`, `unprocessable`.
 */
export async function updateAccount(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor; revision: number | null },
  change: Partial<Omit<NewAccount, 'channel' | 'driver' | 'isDefault'>> & { isDefault?: true },
): Promise<AccountRow> {
  const { tenantId, id, actor, revision } = target;
  const before = await getAccount(tx, tenantId, id);
  const settings = change.settings ?? before.settings;
  const kept = readableSecrets(deps.secrets, before);
  const gives = Object.keys(change.secrets ?? {}).length > 0;
  const secrets = { ...kept, ...change.secrets };
  checkDriver({ ...before, settings, secrets: kept === null && !gives ? null : secrets });
  if (change.isDefault) await lockTenant(tx, tenantId);
  if (change.isDefault && !before.test) await clearDefault(tx, tenantId, before.channel);
  const [row] = await tx
    .update(channelAccounts)
    .set({
      ...(change.name === undefined ? {} : { name: change.name }),
      ...(change.onUncertain === undefined ? {} : { onUncertain: change.onUncertain }),
      ...(change.isDefault ? { isDefault: true } : {}),
      ...change.rhythm,
      settings,
      // Only what is given is sealed: the key of secrets that cannot be read now may come back.
      ...(gives ? { sealedSecrets: sealSecrets(deps.secrets, secrets) } : {}),
      // A shorter wait holds from now on, not from the end of the longer one.
      ...(change.rhythm === undefined ? {} : { nextSlotAt: null, idleUntil: null }),
      revision: sql`${channelAccounts.revision} + 1`,
      updatedAt: deps.clock.now(),
    })
    .where(
      and(
        eq(channelAccounts.tenantId, tenantId),
        eq(channelAccounts.id, id),
        eq(channelAccounts.revision, revision ?? before.revision),
      ),
    )
    .returning();
  if (row === undefined) throw new AppError('precondition_failed');
  if (change.isDefault) await adoptWaitingMessages(deps, tx, row);
  const fields = Object.keys(change);
  await recordAudit(deps, tx, {
    tenantId,
    actor,
    action: 'updated',
    resourceType: 'channel-account',
    resourceId: id,
    fields,
  });
  return row;
}
