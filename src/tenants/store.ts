import { and, desc, eq, lt, sql } from 'drizzle-orm';
import { parseAddrSpec } from '../channels/mail/addr-spec.ts';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { prepareOnce } from '../db/prepare-once.ts';
import { tenants } from '../db/tables/tenants.ts';
import { AppError, invalidField, notFound } from '../errors.ts';
import { recordAudit } from './audit.ts';
import { addFirstRecipientTypes } from './recipient-types.ts';
import type { Actor } from './rights.ts';

export type TenantRow = typeof tenants.$inferSelect;

/** Settings of a tenant that people may change. */
export type TenantSettings = Partial<
  Pick<
    TenantRow,
    | 'name'
    | 'timezone'
    | 'locale'
    | 'defaultValidation'
    | 'testRedirect'
    | 'defaultTemplate'
    | 'constants'
    | 'documentMaxBytes'
    | 'addressPolicy'
    | 'defaultConsentLevel'
  >
>;

/** What the service itself gives every text by these names. */
const reservedFields = ['recipient', 'sender', 'unsubscribe_url'];

function checkSettings({ timezone, testRedirect, constants = {} }: TenantSettings): void {
  for (const name of reservedFields) {
    if (Object.hasOwn(constants, name)) {
      throw invalidField(`/constants/${name}`, 'reserved', `${name} is given by the service`);
    }
  }
  if (testRedirect != null) {
    const parsed = parseAddrSpec(testRedirect);
    if (parsed.kind === 'invalid') throw invalidField('/testRedirect', 'address_invalid', parsed.why);
  }
  if (timezone === undefined) return;
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
  } catch {
    throw invalidField('/timezone', 'timezone_unknown', 'must be an IANA time zone such as Europe/Paris');
  }
}

/** Adds an organisation. Defaults: Europe/Paris, fr-FR, manual validation, documents of 2 MB. */
export async function createTenant(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  settings: TenantSettings & { name: string },
): Promise<TenantRow> {
  checkSettings(settings);
  const now = deps.clock.now();
  const [row] = await tx
    .insert(tenants)
    .values({
      id: deps.newId(),
      timezone: 'Europe/Paris',
      locale: 'fr-FR',
      defaultValidation: 'manual',
      documentMaxBytes: 2_000_000,
      ...settings,
      createdAt: now,
      updatedAt: now,
    })
    .returning();
  if (row === undefined) throw new Error('the tenant was not inserted');
  await addFirstRecipientTypes(deps, tx, row.id);
  return row;
}

/** @throws AppError `not_found`. */
export async function getTenant(db: Db | Tx, id: string): Promise<TenantRow> {
  const [row] = await db.select().from(tenants).where(eq(tenants.id, id));
  if (row === undefined) throw notFound();
  return row;
}

const placeOf = prepareOnce((db) =>
  db
    .select({ timezone: tenants.timezone, locale: tenants.locale })
    .from(tenants)
    .where(eq(tenants.id, sql.placeholder('id'))),
);

/** Where a tenant is: its time zone and its locale. @throws AppError `not_found`. */
export async function getPlace(db: Db | Tx, id: string): Promise<{ timezone: string; locale: string }> {
  const [row] = await placeOf(db).execute({ id });
  if (row === undefined) throw notFound();
  return row;
}

/** The tenant of this name, or null. */
export async function findTenantByName(db: Db | Tx, name: string): Promise<TenantRow | null> {
  const [row] = await db.select().from(tenants).where(eq(tenants.name, name)).limit(1);
  return row ?? null;
}

/** Newest first. */
export function listTenants(db: Db, page: { limit: number; before: string | null }): Promise<TenantRow[]> {
  return db
    .select()
    .from(tenants)
    .where(page.before === null ? undefined : lt(tenants.id, page.before))
    .orderBy(desc(tenants.id))
    .limit(page.limit);
}

/**
 * Changes settings. Messages that exist keep those they were made with.
 * @param revision the one that was read; null changes whatever is there.
 * @throws AppError `not_found`, `precondition_failed`, or `unprocessable` for an unknown time zone.
 */
export async function updateTenant(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  id: string,
  actor: Actor,
  revision: number | null,
  change: TenantSettings,
): Promise<TenantRow> {
  checkSettings(change);
  const [row] = await tx
    .update(tenants)
    .set({ ...change, revision: sql`${tenants.revision} + 1`, updatedAt: deps.clock.now() })
    .where(and(eq(tenants.id, id), revision === null ? undefined : eq(tenants.revision, revision)))
    .returning();
  if (row === undefined) {
    await getTenant(tx, id);
    throw new AppError('precondition_failed');
  }
  const fields = Object.keys(change);
  await recordAudit(deps, tx, {
    tenantId: id,
    actor,
    action: 'updated',
    resourceType: 'tenant',
    resourceId: id,
    fields,
  });
  return row;
}

/** Makes changes of what a tenant has only one of (its default sender, say) wait for each other. */
export async function lockTenant(tx: Tx, id: string): Promise<void> {
  await tx.select({ id: tenants.id }).from(tenants).where(eq(tenants.id, id)).for('no key update');
}
