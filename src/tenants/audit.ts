import { and, desc, eq, lt } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { auditEntries } from '../db/tables/tenants.ts';
import type { Actor } from './rights.ts';

/** A change of settings or rights, to be kept. `fields` are names only. */
export interface AuditedChange {
  tenantId: string;
  actor: Actor;
  action: 'created' | 'updated' | 'deleted' | 'published' | 'paused' | 'resumed' | 'disabled' | 'erased' | 'imported';
  resourceType: string;
  resourceId: string;
  fields?: string[];
}

/** Keeps who changed what, in the transaction of the change. */
export async function recordAudit(deps: { clock: Clock; newId: NewId }, tx: Tx, change: AuditedChange): Promise<void> {
  await tx.insert(auditEntries).values({
    tenantId: change.tenantId,
    id: deps.newId(),
    at: deps.clock.now(),
    action: change.action,
    resourceType: change.resourceType,
    resourceId: change.resourceId,
    actorKeyId: change.actor.kind === 'key' ? change.actor.keyId : null,
    actorUser: change.actor.kind === 'key' ? change.actor.user : null,
    fields: change.fields ?? [],
  });
}

/** Newest first, from before `before`. */
export function listAuditEntries(
  db: Db,
  tenantId: string,
  page: { limit: number; before: string | null },
  filter: { resourceType?: string; resourceId?: string },
) {
  return db
    .select()
    .from(auditEntries)
    .where(
      and(
        eq(auditEntries.tenantId, tenantId),
        page.before === null ? undefined : lt(auditEntries.id, page.before),
        filter.resourceType === undefined ? undefined : eq(auditEntries.resourceType, filter.resourceType),
        filter.resourceId === undefined ? undefined : eq(auditEntries.resourceId, filter.resourceId),
      ),
    )
    .orderBy(desc(auditEntries.id))
    .limit(page.limit);
}
