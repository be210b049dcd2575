import { and, eq } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Tx } from '../../db/client.ts';
import { templates } from '../../db/tables/templates.ts';
import { AppError } from '../../errors.ts';
import { lockExtraction, removeExtraction } from '../../extractions/store.ts';
import type { Actor } from '../../tenants/rights.ts';
import { isThere } from '../store.ts';
import { templatesThatNeed } from './broken.ts';

/**
 * Deletes an extraction that no template names, and whose fields no published template needs.
 * @throws AppError `not_found`; `in_use` with a line for each template.
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
  const needing = await templatesThatNeed(tx, tenantId, { ...extraction, kind: 'extraction' });
  const items = [
    ...naming.map(({ key }) => ({ pointer: '', code: 'named_by_template', message: `${key} names it` })),
    ...needing.map(({ key, fields }) => {
      return { pointer: '', code: 'used_by_template', message: `${key} reads ${fields.join(', ')}` };
    }),
  ];
  if (items.length > 0) {
    const count = new Set([...naming, ...needing].map(({ key }) => key)).size;
    throw new AppError('in_use', { detail: `${count} templates use it.`, items: items.slice(0, 100) });
  }
  await removeExtraction(deps, tx, tenantId, actor, id);
}
