import { and, eq, sql } from 'drizzle-orm';
import type { Tx } from '../db/client.ts';
import { sendRequests } from '../db/tables/messages.ts';
import { AppError } from '../errors.ts';
import type { Caller } from '../tenants/rights.ts';
import { acceptSendRequest, type IntakeDeps, type PreparedRequest, prepareSendRequest } from './accept.ts';
import type { SendRequestOutcome } from './outcome.ts';
import type { SendRequestBody } from './schema.ts';
import { deleteDraftBody, findDraftBody, getSendRequest, type Viewer } from './store.ts';

const viewerOf = (caller: Caller): Viewer => ({ tenantId: caller.tenantId, testOnly: caller.testOnly });

function notDraft(status: string): AppError {
  return new AppError('not_a_draft', { detail: `It is ${status}.`, extra: { currentStatus: status } });
}

/**
 * Reads a draft again as if it came now: rules, templates and addresses of today (W6).
 * @param editedAt the edition date to archive; default: that of the draft, else now.
 * @throws AppError `not_found`, `not_a_draft`, and all that a new request as a whole may be refused for. Faults of
 * rows are in the drafts.
 */
export async function prepareConfirmation(
  deps: IntakeDeps,
  caller: Caller,
  id: string,
  editedAt: string | undefined,
): Promise<PreparedRequest> {
  const row = await getSendRequest(deps.db, viewerOf(caller), id);
  if (row.status !== 'draft') throw notDraft(row.status);
  const stored = await findDraftBody(deps.db, caller.tenantId, id);
  // Between the two reads another confirmation, or a cancellation, came to its end.
  if (stored === null) throw notDraft((await getSendRequest(deps.db, viewerOf(caller), id)).status);
  const body = {
    ...stored,
    editedAt: editedAt ?? stored.editedAt ?? deps.clock.now().toISOString(),
    // Whoever asked for it still did (W7); who confirms is in the transitions.
    requestedBy: { ...stored.requestedBy, user: row.requestedByUser },
  };
  // A draft of a test key stays a test, whoever confirms it.
  return prepareSendRequest(deps, { ...caller, testOnly: row.test }, body);
}

/** What others may change of a draft: its times, and who is in it. */
const changeable = ({ sendAt, notAfter, window, recipients }: SendRequestBody) =>
  JSON.stringify([sendAt, notAfter, window, recipients]);

/**
 * Turns a draft into an accepted request with its messages, in the caller's transaction. The draft's row is locked:
 * two confirmations at once make one set of messages.
 * @throws AppError `not_a_draft` when another confirmation or a cancellation came first; `precondition_failed` when
 * the draft was changed since it was read.
 */
export async function confirmSendRequest(
  deps: IntakeDeps,
  tx: Tx,
  caller: Caller,
  id: string,
  prepared: PreparedRequest,
): Promise<SendRequestOutcome> {
  const row = await getSendRequest(tx, viewerOf(caller), id, { lock: true });
  if (row.status !== 'draft') throw notDraft(row.status);
  const current = await findDraftBody(tx, caller.tenantId, id);
  if (current === null || changeable(current) !== changeable(prepared.body)) {
    throw new AppError('precondition_failed', { detail: 'The draft was changed meanwhile: confirm it again.' });
  }
  const outcome = await acceptSendRequest(deps, tx, prepared, id);
  await tx
    .update(sendRequests)
    .set({ revision: sql`${sendRequests.revision} + 1` })
    .where(and(eq(sendRequests.tenantId, caller.tenantId), eq(sendRequests.id, id)));
  await deleteDraftBody(tx, caller.tenantId, id);
  return outcome;
}
