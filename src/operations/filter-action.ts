import type { Tx } from '../db/client.ts';
import { actOnMessages, type BulkAction } from '../messages/act.ts';
import type { MessageFilter } from '../messages/filter.ts';
import { sourcesOf } from '../messages/status.ts';
import { countMatching, matchingIds } from '../messages/store.ts';
import type { Caller } from '../tenants/rights.ts';
import { actorOfOperation, createOperation, type OperationDeps, type OperationRow, recordStep } from './store.ts';

/** An action on all messages that match, as an operation keeps it. */
export interface FilterAction {
  action: BulkAction;
  filter: MessageFilter;
  remark: string | null;
}

/** Messages of one transaction: few enough that no row is locked for long. */
const messagesPerStep = 1_000;

/** Asks for an action on more messages than one request can do. */
export async function startFilterAction(
  deps: Pick<OperationDeps, 'clock' | 'newId' | 'jobs'>,
  tx: Tx,
  caller: Caller,
  action: FilterAction,
): Promise<OperationRow> {
  const sources = sourcesOf(action.action, action.filter.status);
  const total = await countMatching(tx, caller, { ...action.filter, status: sources });
  return createOperation(deps, tx, caller, { kind: action.action, parameters: { ...action }, total });
}

/**
 * Does the next step of a filter action. Only messages that existed when it was asked for: it ends, and a row is
 * acted on once, because the cursor moves in the transaction of the step.
 * @returns whether there is more.
 */
export async function stepFilterAction(deps: OperationDeps, tx: Tx, row: OperationRow): Promise<boolean> {
  const action = row.parameters as unknown as FilterAction;
  const viewer = { tenantId: row.tenantId, testOnly: row.test };
  const asked = new Date(row.createdAt.getTime() + 1);
  const given = action.filter.createdTo;
  const createdTo = given !== undefined && new Date(given) < asked ? given : asked.toISOString();
  const filter = { ...action.filter, createdTo };
  const ids = await matchingIds(tx, viewer, filter, {
    sources: sourcesOf(action.action, action.filter.status),
    after: row.cursor,
    limit: messagesPerStep,
  });
  const last = ids.at(-1);
  if (last === undefined) return false;
  // What a person did since is newer than this order. Blocking is the safe side, and the dispatcher touches what waits.
  const since = action.action === 'block' ? {} : { unchangedSince: row.createdAt };
  const options = { remark: action.remark, contentHash: null, ...since };
  const result = await actOnMessages(deps, tx, viewer, actorOfOperation(row), action.action, ids, options);
  const { done, refused } = result;
  await recordStep(deps, tx, row, { cursor: last, done: ids.length, succeeded: done.length, refused });
  return ids.length === messagesPerStep;
}
