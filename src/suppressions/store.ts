import { and, desc, eq, lt, sql } from 'drizzle-orm';
import { parseAddrSpec } from '../channels/mail/addr-spec.ts';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { prepareOnce } from '../db/prepare-once.ts';
import { suppressions } from '../db/tables/permissions.ts';
import { AppError, invalidField, notFound } from '../errors.ts';
import { recordEvents } from '../events/store.ts';
import { recordAudit } from '../tenants/audit.ts';
import type { Actor } from '../tenants/rights.ts';
import type { AddressHashes } from './address-hashes.ts';

/** What looking for suppressed addresses needs. */
export interface SuppressionDeps {
  addressHashes: AddressHashes;
}

type Deps = { clock: Clock; newId: NewId };

export type SuppressionRow = typeof suppressions.$inferSelect;

/** A suppression as callers give it. */
export interface GivenSuppression {
  channel: SuppressionRow['channel'];
  address: string;
  cause: SuppressionRow['cause'];
  /** Null: now. */
  since: Date | null;
  note: string | null;
}

const ofTenant = (tenantId: string, id: string) => and(eq(suppressions.tenantId, tenantId), eq(suppressions.id, id));

const suppressedOf = prepareOnce((db) =>
  db
    .select({
      addressHash: suppressions.addressHash,
      id: suppressions.id,
      cause: suppressions.cause,
      since: suppressions.since,
    })
    .from(suppressions)
    .where(
      and(
        eq(suppressions.tenantId, sql.placeholder('tenantId')),
        eq(suppressions.channel, sql.placeholder('channel')),
        sql`${suppressions.addressHash} in (select json_array_elements_text(${sql.placeholder('hashes')}::json))`,
      ),
    ),
);

/** What of a suppression is told to whoever asks why. */
export type FoundSuppression = Pick<SuppressionRow, 'id' | 'cause' | 'since'>;

/**
 * Those of the addresses (`parseAddrSpec`: normalized) that are suppressed on a channel, whoever they belong to, with
 * what suppresses them. One statement for any number of them.
 */
export async function findSuppressed(
  { addressHashes }: SuppressionDeps,
  db: Db | Tx,
  tenantId: string,
  channel: SuppressionRow['channel'],
  addresses: readonly string[],
): Promise<Map<string, FoundSuppression>> {
  if (addresses.length === 0) return new Map();
  const hashes = await addressHashes.of(db, tenantId, channel, addresses);
  if (hashes === null) return new Map();
  const rows = await suppressedOf(db).execute({ tenantId, channel, hashes: JSON.stringify(hashes) });
  const found = new Map(rows.map(({ addressHash, ...suppression }) => [addressHash, suppression]));
  return new Map(
    addresses.flatMap((address, place) => {
      const suppression = found.get(hashes[place] ?? '');
      return suppression === undefined ? [] : [[address, suppression] as const];
    }),
  );
}

function takenBy(row: SuppressionRow | null): AppError {
  const extra = row === null ? {} : { suppression: row.id };
  return new AppError('conflict', {
    detail: `The address is suppressed already${row === null ? '' : `, by ${row.id}`}.`,
    extra,
  });
}

/**
 * Suppresses an address. What waits is not touched (`suppressAddress` does that). The tenant must have its key
 * (`AddressHashes.prepare`).
 * @throws AppError `conflict`, naming the one that exists; `unprocessable` for a bad address, or `since` in the future.
 */
export async function createSuppression(
  deps: Deps & SuppressionDeps,
  tx: Tx,
  target: { tenantId: string; actor: Actor },
  given: GivenSuppression,
): Promise<SuppressionRow> {
  const { tenantId } = target;
  const { channel, cause, note } = given;
  const now = deps.clock.now();
  const parsed = parseAddrSpec(given.address);
  if (parsed.kind === 'invalid') throw invalidField('/address', 'address_invalid', parsed.why);
  const since = given.since ?? now;
  if (since > now) throw invalidField('/since', 'in_future', 'since is in the future');
  const address = parsed.normalized;
  const addressHash = await hashOfAddress(deps, tx, { tenantId, channel, address });
  if (addressHash === null) throw new Error(`the tenant ${tenantId} has no key for its address hashes`);
  return insertSuppression(deps, tx, target, { channel, address, addressHash, cause, since, note });
}

/** The hash by which a normalized address is looked for; null when the tenant has no key yet. */
export async function hashOfAddress(
  { addressHashes }: SuppressionDeps,
  db: Db | Tx,
  { tenantId, channel, address }: { tenantId: string; channel: SuppressionRow['channel']; address: string },
): Promise<string | null> {
  const [hash = null] = (await addressHashes.of(db, tenantId, channel, [address])) ?? [];
  return hash;
}

/** The suppression of a hash, or null. */
export async function findSuppression(
  db: Db | Tx,
  tenantId: string,
  channel: SuppressionRow['channel'],
  addressHash: string,
): Promise<SuppressionRow | null> {
  const [row = null] = await db
    .select()
    .from(suppressions)
    .where(
      and(
        eq(suppressions.tenantId, tenantId),
        eq(suppressions.channel, channel),
        eq(suppressions.addressHash, addressHash),
      ),
    );
  return row;
}

/**
 * Suppresses what is known by its hash, with its address or, where that is forgotten, without.
 * @throws AppError `conflict`, naming the one that exists.
 */
export async function insertSuppression(
  deps: Deps,
  tx: Tx,
  { tenantId, actor }: { tenantId: string; actor: Actor },
  given: Pick<SuppressionRow, 'channel' | 'address' | 'addressHash' | 'cause' | 'since' | 'note'>,
): Promise<SuppressionRow> {
  const now = deps.clock.now();
  const [row] = await tx
    .insert(suppressions)
    .values({ tenantId, id: deps.newId(), ...given, createdAt: now, updatedAt: now })
    .onConflictDoNothing({ target: [suppressions.tenantId, suppressions.channel, suppressions.addressHash] })
    .returning();
  if (row === undefined) throw takenBy(await findSuppression(tx, tenantId, given.channel, given.addressHash));
  const entry = { tenantId, actor, resourceType: 'suppression', resourceId: row.id };
  await recordAudit(deps, tx, { ...entry, action: 'created' });
  return row;
}

/** @throws AppError `not_found`. */
export async function getSuppression(db: Db | Tx, tenantId: string, id: string): Promise<SuppressionRow> {
  const [row] = await db.select().from(suppressions).where(ofTenant(tenantId, id));
  if (row === undefined) throw notFound();
  return row;
}

/** Newest first. `address` in any spelling: it is found by its hash, also where it was forgotten. */
export async function listSuppressions(
  { addressHashes }: SuppressionDeps,
  db: Db,
  tenantId: string,
  page: { limit: number; before: string | null },
  filter: { address?: string; channel?: SuppressionRow['channel']; cause?: SuppressionRow['cause'] },
): Promise<SuppressionRow[]> {
  const { address, channel, cause } = filter;
  let hash: string | undefined;
  if (address !== undefined) {
    const parsed = parseAddrSpec(address);
    if (parsed.kind === 'invalid') return [];
    [hash] = (await addressHashes.of(db, tenantId, 'mail', [parsed.normalized])) ?? [];
    if (hash === undefined) return [];
  }
  return db
    .select()
    .from(suppressions)
    .where(
      and(
        eq(suppressions.tenantId, tenantId),
        page.before === null ? undefined : lt(suppressions.id, page.before),
        hash === undefined ? undefined : and(eq(suppressions.channel, 'mail'), eq(suppressions.addressHash, hash)),
        channel === undefined ? undefined : eq(suppressions.channel, channel),
        cause === undefined ? undefined : eq(suppressions.cause, cause),
      ),
    )
    .orderBy(desc(suppressions.id))
    .limit(page.limit);
}

/**
 * Changes what is said of a suppression.
 * @param target.revision the one that was read; null changes whatever is there.
 * @throws AppError `not_found`, `precondition_failed`.
 */
export async function updateSuppression(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor; revision: number | null },
  change: { cause?: SuppressionRow['cause']; note?: string | null },
): Promise<SuppressionRow> {
  const { tenantId, id, actor, revision } = target;
  const [row] = await tx
    .update(suppressions)
    .set({ ...change, revision: sql`${suppressions.revision} + 1`, updatedAt: deps.clock.now() })
    .where(and(ofTenant(tenantId, id), revision === null ? undefined : eq(suppressions.revision, revision)))
    .returning();
  if (row === undefined) {
    await getSuppression(tx, tenantId, id);
    throw new AppError('precondition_failed');
  }
  const entry = { tenantId, actor, resourceType: 'suppression', resourceId: id };
  await recordAudit(deps, tx, { ...entry, action: 'updated', fields: Object.keys(change) });
  return row;
}

/**
 * Lifts a suppression: the address may be written to again. Messages that it stopped stay stopped until a person
 * validates them.
 * @throws AppError `not_found`.
 */
export async function liftSuppression(deps: Deps, tx: Tx, tenantId: string, actor: Actor, id: string): Promise<void> {
  const [row] = await tx.delete(suppressions).where(ofTenant(tenantId, id)).returning();
  if (row === undefined) throw notFound();
  await recordAudit(deps, tx, { tenantId, actor, action: 'deleted', resourceType: 'suppression', resourceId: id });
  const event = { tenantId, type: 'suppression.lifted' as const, test: false, resourceId: id };
  await recordEvents(deps, tx, [{ ...event, data: { channel: row.channel, cause: row.cause } }]);
}
