import type { Clock, NewId } from '../../clock.ts';
import type { Tx } from '../../db/client.ts';
import { AppError, type ErrorItem } from '../../errors.ts';
import type { Actor } from '../../tenants/rights.ts';
import { createRecipient, updateRecipient } from '../change.ts';
import type { BeforeLeaving } from '../leaving.ts';
import { writeRecipientReference } from '../reference.ts';
import { readRelations, relationNames } from '../relations.ts';
import { getRecipient, lockRecipient } from '../store.ts';
import type { GivenRecipient } from './check-row.ts';
import { applyRow, emptyState, type RecipientState, stateOf } from './compare.ts';

type Deps = { clock: Clock; newId: NewId; beforeLeaving: BeforeLeaving };

/** What became of a row: one thing, or why nothing. */
export type Kept = { kind: 'created' | 'changed' | 'unchanged' } | { kind: 'refused'; faults: readonly ErrorItem[] };

const changedFields = (before: RecipientState, after: RecipientState) =>
  (Object.keys(after) as (keyof RecipientState)[]).filter((name) => after[name] !== before[name]);

async function keep(
  deps: Deps,
  tx: Tx,
  { tenantId, actor }: { tenantId: string; actor: Actor },
  given: GivenRecipient,
): Promise<Exclude<Kept['kind'], 'refused'>> {
  const { type, externalId, relations = {} } = given;
  const reference = writeRecipientReference(given);
  const locked = await lockRecipient(tx, tenantId, reference, 'change');
  if (locked === null) {
    await createRecipient(deps, tx, tenantId, actor, {
      type,
      externalId,
      ...applyRow(emptyState, given),
      ...relations,
    });
    return 'created';
  }
  const before = await getRecipient(tx, tenantId, locked.id);
  const state = stateOf(before);
  const after = applyRow(state, given);
  const ids = await readRelations(tx, tenantId, locked.id, relations);
  // Only what differs: the audit trail names what was changed.
  const moved = relationNames.filter((name) => ids[name] !== undefined && ids[name] !== before[name]);
  const written = changedFields(state, after);
  if (written.length + moved.length === 0) return 'unchanged';
  const target = { tenantId, reference: locked.id, actor, revision: null };
  await updateRecipient(deps, tx, target, {
    ...Object.fromEntries(written.map((name) => [name, after[name]])),
    ...Object.fromEntries(moved.map((name) => [name, ids[name]])),
  });
  return 'changed';
}

/**
 * Makes one recipient what its row says, with whom they belong to: checked against all others as a single change is, one
 * row after the other, so that a row that cannot be kept leaves nothing of it. Slower than many at once.
 * @param tx holds `lockRelations`, and then the recipients of all such rows (`lockInOrder`).
 */
export async function keepRelated(
  deps: Deps,
  tx: Tx,
  to: { tenantId: string; actor: Actor },
  given: GivenRecipient,
): Promise<Kept> {
  try {
    return { kind: await keep(deps, tx, to, given) };
  } catch (error) {
    // Refused before anything was written.
    if (error instanceof AppError && error.items.length > 0) return { kind: 'refused', faults: error.items };
    throw error;
  }
}
