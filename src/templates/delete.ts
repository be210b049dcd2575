import { and, eq, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import type { Tx } from '../db/client.ts';
import { templates } from '../db/tables/templates.ts';
import { AppError, type ErrorItem } from '../errors.ts';
import { recordAudit } from '../tenants/audit.ts';
import { type Actor, nameOf } from '../tenants/rights.ts';
import { forgetIncidents } from './incidents.ts';
import { getTemplate, type TemplateRow } from './store.ts';

/** What still needs a template, by the code of the answer, in words. */
const uses = {
  used_by_messages: (count: number) => `${count} messages wait for validation or for their time`,
  used_by_drafts: (count: number) => `${count} draft send requests name it`,
  used_as_default: () => 'it is the default content of the tenant',
} as const;

async function usesOf(tx: Tx, { tenantId, id, key }: TemplateRow): Promise<ErrorItem[]> {
  const found = await tx.execute<{ code: keyof typeof uses; count: number }>(sql`
    select 'used_by_messages' as code, count(*)::int as count from messages
    where tenant_id = ${tenantId} and status in ('E', 'V') and template_id = ${id}
    union all
    select 'used_by_drafts', count(*)::int from send_requests
    where tenant_id = ${tenantId} and status = 'draft' and templates @> ${JSON.stringify([{ id }])}::jsonb
    union all
    select 'used_as_default', count(*)::int from tenants where id = ${tenantId} and default_template in (${key}, ${id})`);
  return [...found]
    .filter(({ count }) => count > 0)
    .map(({ code, count }) => ({ pointer: '', code, message: uses[code](count) }));
}

/**
 * Deletes a template for good, and its versions: neither is found again, and its key is free. What was sent with it
 * keeps its texts and its place in the history (M6). Refused while something is still to come of it (J8): such a
 * template can be made inactive.
 * @throws AppError `not_found`; `in_use` with a line for each use.
 */
export async function deleteTemplate(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  tenantId: string,
  actor: Actor,
  id: string,
): Promise<void> {
  // Before the look at what uses it: intake holds the row until its messages are stored.
  await tx.execute(sql`select 1 from templates where tenant_id = ${tenantId} and id = ${id} for update`);
  const template = await getTemplate(tx, tenantId, id);
  const items = await usesOf(tx, template);
  if (items.length > 0) {
    const detail = `${items.map(({ message }) => message).join('; ')}. Make it inactive instead.`;
    throw new AppError('in_use', { detail, items });
  }
  const now = deps.clock.now();
  await forgetIncidents(tx, tenantId, id);
  await tx
    .update(templates)
    .set({ deletedAt: now, active: false, updatedAt: now, updatedBy: nameOf(actor) })
    .where(and(eq(templates.tenantId, tenantId), eq(templates.id, id)));
  await recordAudit(deps, tx, { tenantId, actor, action: 'deleted', resourceType: 'template', resourceId: id });
}
