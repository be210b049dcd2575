import { randomBytes, timingSafeEqual } from 'node:crypto';
import { and, desc, eq, getTableColumns, isNull, lt, or, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { prepareOnce } from '../db/prepare-once.ts';
import { apiKeys, tenants } from '../db/tables/tenants.ts';
import { notFound } from '../errors.ts';
import { recordAudit } from './audit.ts';
import type { Actor, Caller, Scope } from './rights.ts';
import type { Secrets } from './secrets.ts';

type Deps = { clock: Clock; newId: NewId; secrets: Secrets };

/** A key as it is asked for. */
export interface NewKey {
  name: string;
  kind: 'live' | 'test';
  scopes: readonly Scope[];
  expiresAt: Date | null;
  unit: string | null;
}

export type ApiKeyRow = typeof apiKeys.$inferSelect;

/** Last use is written at most once in this time: it is for people, not for counting. */
const lastUseResolutionMs = 60_000;

/** Makes a key. The secret is in the answer and nowhere else: only its hash is kept. */
export async function createKey(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  key: NewKey,
): Promise<{ row: ApiKeyRow; secret: string }> {
  const publicPart = randomBytes(9).toString('hex');
  const secretPart = randomBytes(24).toString('base64url');
  const now = deps.clock.now();
  const [row] = await tx
    .insert(apiKeys)
    .values({
      tenantId,
      id: deps.newId(),
      name: key.name,
      kind: key.kind,
      publicPart,
      secretHash: deps.secrets.hashKey(secretPart),
      scopes: [...key.scopes],
      unit: key.unit,
      expiresAt: key.expiresAt,
      createdAt: now,
      updatedAt: now,
    })
    .returning();
  if (row === undefined) throw new Error('the key was not inserted');
  await recordAudit(deps, tx, { tenantId, actor, action: 'created', resourceType: 'api-key', resourceId: row.id });
  return { row, secret: `${key.kind}_${publicPart}_${secretPart}` };
}

const keyByPublicPart = prepareOnce((db) =>
  db
    .select({ ...getTableColumns(apiKeys), timezone: tenants.timezone })
    .from(apiKeys)
    .innerJoin(tenants, eq(tenants.id, apiKeys.tenantId))
    .where(eq(apiKeys.publicPart, sql.placeholder('publicPart'))),
);

/** Who a bearer token is, or null: unknown, wrong, revoked and expired keys are one and the same to the caller. */
export async function authenticateKey(
  deps: { db: Db; clock: Clock; secrets: Secrets },
  token: string,
): Promise<Omit<Caller, 'user'> | null> {
  const [, kind, publicPart, secretPart] = /^(live|test)_([0-9a-f]{18})_([\w-]{32})$/.exec(token) ?? [];
  if (publicPart === undefined || secretPart === undefined) return null;
  const [row] = await keyByPublicPart(deps.db).execute({ publicPart });
  const given = Buffer.from(deps.secrets.hashKey(secretPart));
  const kept = Buffer.from(row?.secretHash ?? '0'.repeat(64));
  const now = deps.clock.now();
  if (row === undefined || row.kind !== kind || !timingSafeEqual(given, kept)) return null;
  if (row.revokedAt !== null || (row.expiresAt !== null && row.expiresAt <= now)) return null;
  if (row.lastUsedAt === null || now.getTime() - row.lastUsedAt.getTime() > lastUseResolutionMs) {
    await deps.db
      .update(apiKeys)
      .set({ lastUsedAt: now })
      .where(
        and(
          eq(apiKeys.publicPart, publicPart),
          or(isNull(apiKeys.lastUsedAt), lt(apiKeys.lastUsedAt, new Date(now.getTime() - lastUseResolutionMs))),
        ),
      );
  }
  const { tenantId, timezone, id: keyId, scopes } = row;
  return { tenantId, timezone, keyId, testOnly: row.kind === 'test', scopes };
}

/** Keys of a tenant, newest first, revoked ones included. */
export function listKeys(
  db: Db,
  tenantId: string,
  page: { limit: number; before: string | null },
): Promise<ApiKeyRow[]> {
  return db
    .select()
    .from(apiKeys)
    .where(and(eq(apiKeys.tenantId, tenantId), page.before === null ? undefined : lt(apiKeys.id, page.before)))
    .orderBy(desc(apiKeys.id))
    .limit(page.limit);
}

/** A key of the tenant. @throws AppError `not_found`. */
export async function getKey(db: Db | Tx, tenantId: string, id: string): Promise<ApiKeyRow> {
  const [row] = await db
    .select()
    .from(apiKeys)
    .where(and(eq(apiKeys.tenantId, tenantId), eq(apiKeys.id, id)));
  if (row === undefined) throw notFound();
  return row;
}

/** Ends a key at once. Ending one twice is not an error. @throws AppError `not_found`. */
export async function revokeKey(deps: Deps, tx: Tx, tenantId: string, actor: Actor, id: string): Promise<void> {
  const now = deps.clock.now();
  const row = await getKey(tx, tenantId, id);
  if (row.revokedAt !== null) return;
  await tx
    .update(apiKeys)
    .set({ revokedAt: now, updatedAt: now })
    .where(and(eq(apiKeys.tenantId, tenantId), eq(apiKeys.id, id)));
  await recordAudit(deps, tx, { tenantId, actor, action: 'deleted', resourceType: 'api-key', resourceId: id });
}
