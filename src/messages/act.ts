import { sql } from 'drizzle-orm';
import type { Tx } from '../db/client.ts';
import { at, idList, mustReachAll } from '../db/rows.ts';
import { AppError } from '../errors.ts';
import type { Actor } from '../tenants/rights.ts';
import type { Viewer } from './filter.ts';
import type { Reason } from './reasons.ts';
import { recordMoves } from './record-moves.ts';
import type { RuleFacts } from './rule-facts.ts';
import { actionSources } from './status.ts';
import { isErased, lockMessages, type MessageState } from './store.ts';
import { type ActionResult, type MoveDeps, moveToValid, type Refusal } from './to-valid.ts';

/** What a person does with messages, one by one or many at once. */
export const bulkActions = ['validate', 'block', 'resend'] as const;

export type BulkAction = (typeof bulkActions)[number];

/** How an action is meant. */
export interface ActionOptions {
  remark: string | null;
  /** What was seen: the action is refused where the content is no longer this one. */
  contentHash: string | null;
  /** When the messages were chosen: one that was changed since is not what was meant, and is refused. */
  unchangedSince?: Date;
}

function refusalOf(row: MessageState, action: BulkAction, options: ActionOptions): Refusal | null {
  const sources: readonly string[] = actionSources[action];
  if (isErased(row)) return { id: row.id, code: 'erased', status: row.status };
  if (row.dispatchState === 'sending') return { id: row.id, code: 'being_sent', status: row.status };
  if (!sources.includes(row.status)) return { id: row.id, code: 'illegal_move', status: row.status };
  if (options.contentHash !== null && options.contentHash !== row.contentHash) {
    return { id: row.id, code: 'content_changed', status: row.status };
  }
  if (options.unchangedSince !== undefined && row.updatedAt > options.unchangedSince) {
    return { id: row.id, code: 'precondition_failed', status: row.status };
  }
  return null;
}

/** Why messages are blocked. */
export interface Blocking {
  reason: Reason;
  /** What a rule rested on. */
  facts: RuleFacts | null;
  remark: string | null;
}

/**
 * Blocks locked messages: they are never sent while in `B`. A job that was given for one finds nothing to send.
 */
export async function blockMessages(
  deps: MoveDeps,
  tx: Tx,
  actor: Actor,
  rows: readonly MessageState[],
  { facts, ...why }: Blocking,
): Promise<string[]> {
  const [first] = rows;
  if (first === undefined) return [];
  const moved = await tx.execute<{ id: string }>(sql`
    update messages set status = 'B', reason = ${why.reason}, reason_detail = ${facts === null ? null : JSON.stringify({ facts })}::jsonb, dispatch_state = 'idle',
      job_id = null, remark = coalesce(remark, ${why.remark}), revision = revision + 1, updated_at = ${at(deps.clock.now())}
    where tenant_id = ${first.tenantId} and id = any(${idList(rows.map(({ id }) => id))})
      and status in ('E', 'V') and dispatch_state <> 'sending'
    returning id`);
  mustReachAll(moved.count, rows, 'blocked');
  await recordMoves(
    deps,
    tx,
    actor,
    rows.map((row) => ({
      tenantId: row.tenantId,
      messageId: row.id,
      sendRequestId: row.sendRequestId,
      test: row.test,
      from: row.status,
      to: 'B',
      ...why,
    })),
  );
  return rows.map(({ id }) => id);
}

/**
 * Does one action with the messages of these ids: `validate` on `E` and `B`, `block` on `E` and `V`, `resend` on
 * `KO`. Every id is either done or refused with a code; ids the viewer does not see are `not_found`.
 */
export async function actOnMessages(
  deps: MoveDeps,
  tx: Tx,
  viewer: Viewer,
  actor: Actor,
  action: BulkAction,
  ids: readonly string[],
  options: ActionOptions,
): Promise<ActionResult> {
  // The database answers ids in lower case, whatever the caller wrote.
  const asked = [...new Set(ids.map((id) => id.toLowerCase()))];
  const rows = await lockMessages(tx, viewer, asked);
  const found = new Set(rows.map(({ id }) => id));
  const refused: Refusal[] = asked.filter((id) => !found.has(id)).map((id) => ({ id, code: 'not_found' }));
  const willing: MessageState[] = [];
  for (const row of rows) {
    const refusal = refusalOf(row, action, options);
    if (refusal === null) willing.push(row);
    else refused.push(refusal);
  }
  if (action === 'block') {
    const done = await blockMessages(deps, tx, actor, willing, {
      reason: 'blocked_by_user',
      facts: null,
      remark: options.remark,
    });
    return { done, refused };
  }
  const result = await moveToValid(deps, tx, actor, willing, options.remark);
  return { done: result.done, refused: [...refused, ...result.refused] };
}

/** The refusal of a single message as the answer of its request: 404, or 409 with the current status. */
export function refusalError({ code, status, reason }: Refusal): AppError {
  if (status === undefined) return new AppError(code, { extra: reason === undefined ? {} : { reason } });
  const detail =
    code === 'content_changed'
      ? 'Read the message again.'
      : `The message is in ${status}${reason ? `: ${reason}` : ''}.`;
  return new AppError(code, { detail, extra: { currentStatus: status, ...(reason === undefined ? {} : { reason }) } });
}
