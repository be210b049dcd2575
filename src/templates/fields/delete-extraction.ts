import { and, eq, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Tx } from '../../db/client.ts';
import { templates } from '../../db/tables/templates.ts';
import { AppError } from '../../errors.ts';
import { type ExtractionRow, lockExtraction, removeExtraction } from '../../extractions/store.ts';
import type { Actor } from '../../tenants/rights.ts';
import { isThere } from '../store.ts';
import { templatesThatNeed } from './broken.ts';

/** Drafts ask it when they are confirmed: by its key or its id, as they were given. */
async function draftsThatName(tx: Tx, { tenantId, id, key }: ExtractionRow): Promise<number> {
  const [found] = await tx.execute<{ count: number }>(sql`
    select count(*)::int as count from send_request_drafts
    where tenant_id = ${tenantId} and body->>'extraction' in (${key}, ${id})`);
  return found?.count ?? 0;
}

/**
 * Deletes an extraction that no template and no draft names, and whose fields no published template needs.
 * @throws AppError `not_found`; `in_use` with a line for each template, and one for the drafts.
 */
export async function deleteExtraction(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  tenantId: string,
  actor: Actor,
  id: string,
): Promise<void> {
  const extraction = await lockExtraction(tx, tenantId, id);
  const naming = await tx
    .select({ key: templates.key })
    .from(templates)
    .where(and(eq(templates.tenantId, tenantId), eq(templates.extractionId, id), isThere))
    .orderBy(templates.key);
  const drafts = await draftsThatName(tx, extraction);
  const needing = await templatesThatNeed(tx, tenantId, { ...extraction, kind: 'extraction' });
  const items = [
    ...naming.map(({ key }) => ({ pointer: '', code: 'named_by_template', message: `${key} names it` })),
    ...needing.map(({ key, fields }) => {
      return { pointer: '', code: 'used_by_template', message: `${key} reads ${fields.join(', ')}` };
    }),
    ...(drafts === 0
      ? []
      : [{ pointer: '', code: 'used_by_drafts', message: `${drafts} draft send requests name it` }]),
  ];
  if (items.length > 0) {
    const count = new Set([...naming, ...needing].map(({ key }) => key)).size;
    const detail = `${count} templates and ${drafts} draft send requests use it.`;
    throw new AppError('in_use', { detail, items: items.slice(-100) });
  }
  await removeExtraction(deps, tx, tenantId, actor, id);
}
