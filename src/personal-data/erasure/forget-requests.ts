import { and, eq, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Tx } from '../../db/client.ts';
import { at } from '../../db/rows.ts';
import { operations } from '../../db/tables/dispatch.ts';
import { sendRequestDrafts, sendRequests } from '../../db/tables/messages.ts';
import { recordEvents } from '../../events/store.ts';
import { type DraftBody, isAddressOf, isReferenceTo, isRowOf } from '../draft-rows.ts';
import type { Person } from '../person.ts';
import type { Emptied } from './empty-messages.ts';
import { firstId } from './walk.ts';

function withoutPerson(person: Person, { recipients, ...body }: DraftBody): { body: DraftBody; changed: boolean } {
  const left = recipients.filter((row) => !isRowOf(person, row));
  let changed = left.length !== recipients.length;
  const rows = left.map((row) => {
    const kept = { ...row };
    if (row.contact !== undefined && isReferenceTo(person, row.contact)) {
      // The structure is still written to, through whom its record names.
      delete kept.contact;
      changed = true;
    }
    for (const kind of ['cc', 'bcc'] as const) {
      const others = row[kind]?.filter(({ address }) => !isAddressOf(person, address));
      if (others === undefined || others.length === row[kind]?.length) continue;
      kept[kind] = others;
      changed = true;
    }
    return kept;
  });
  return { body: { ...body, recipients: rows }, changed };
}

/** Ends a draft: its body is forgotten, its row stays for the history, and it is told as a cancellation is. */
export async function endDraft(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  tenantId: string,
  id: string,
): Promise<void> {
  const now = deps.clock.now();
  const [ended] = await tx
    .update(sendRequests)
    .set({ status: 'cancelled', contextRef: null, cancelledAt: now, updatedAt: now, revision: sql`revision + 1` })
    .where(and(eq(sendRequests.tenantId, tenantId), eq(sendRequests.id, id), eq(sendRequests.status, 'draft')))
    .returning({ test: sendRequests.test });
  await tx
    .delete(sendRequestDrafts)
    .where(and(eq(sendRequestDrafts.tenantId, tenantId), eq(sendRequestDrafts.sendRequestId, id)));
  if (ended === undefined) return;
  const event = { tenantId, type: 'send-request.cancelled' as const, test: ended.test, resourceId: id };
  await recordEvents(deps, tx, [{ ...event, data: { blocked: 0, refused: 0 } }]);
}

/**
 * Takes the person's rows and copies out of the next draft behind `after`; one that was about nobody else is cancelled.
 * @returns the draft that was looked at; null when there is none left.
 */
export async function forgetInNextDraft(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  person: Person,
  after: string,
): Promise<string | null> {
  const { tenantId } = person;
  const [next] = await tx.execute<{ id: string }>(sql`
    select id from send_requests where tenant_id = ${tenantId} and id in (
      select send_request_id from send_request_drafts
      where tenant_id = ${tenantId} and send_request_id > ${after || firstId} order by send_request_id limit 1)
    for update`);
  if (next === undefined) return null;
  const draft = and(eq(sendRequestDrafts.tenantId, tenantId), eq(sendRequestDrafts.sendRequestId, next.id));
  // Read behind the lock: a confirmation that held it may have forgotten the body.
  const [kept] = await tx.select({ body: sendRequestDrafts.body }).from(sendRequestDrafts).where(draft);
  if (kept === undefined) return next.id;
  const { body, changed } = withoutPerson(person, kept.body as DraftBody);
  if (!changed) return next.id;
  if (body.recipients.length === 0) await endDraft(deps, tx, tenantId, next.id);
  else {
    await tx.update(sendRequestDrafts).set({ body }).where(draft);
    await tx
      .update(sendRequests)
      .set({
        recipientCount: body.recipients.length,
        updatedAt: deps.clock.now(),
        revision: sql`${sendRequests.revision} + 1`,
      })
      .where(and(eq(sendRequests.tenantId, tenantId), eq(sendRequests.id, next.id)));
  }
  return next.id;
}

interface Filter {
  address?: string;
  recipient?: string;
  context?: string;
}

/** What matches no message: an order that is not done yet must not become one about everybody. */
const nobody = { sendRequest: firstId };

/**
 * Takes what names the person out of the filters of exports and actions, and the remark that was given with them. A remark
 * that their messages had may be about them, whatever the filter was.
 */
export async function forgetInFilters(
  tx: Tx,
  person: Person,
  { contextRefs, remarks }: Pick<Emptied, 'contextRefs' | 'remarks'>,
): Promise<void> {
  const { tenantId } = person;
  if (remarks.length > 0) {
    await tx.execute(sql`
      update operations set parameters = parameters || '{"remark": null}'
      where tenant_id = ${tenantId}
        and parameters ->> 'remark' in (select json_array_elements_text(${JSON.stringify(remarks)}::json))`);
  }
  const filtered = await tx
    .select({ id: operations.id, parameters: operations.parameters, finishedAt: operations.finishedAt })
    .from(operations)
    .where(
      sql`tenant_id = ${tenantId} and (parameters #> '{filter,address}' is not null
        or parameters #> '{filter,recipient}' is not null or parameters #> '{filter,context}' is not null)`,
    );
  for (const { id, parameters, finishedAt } of filtered) {
    const filter = parameters.filter as Filter;
    const { address, recipient, context, ...others } = filter;
    const theirs =
      (address !== undefined && isAddressOf(person, address)) ||
      (recipient !== undefined && isReferenceTo(person, recipient)) ||
      (context !== undefined && contextRefs.includes(context));
    if (!theirs) continue;
    const left = { ...parameters, remark: null, filter: finishedAt === null ? nobody : others };
    await tx
      .update(operations)
      .set({ parameters: left })
      .where(and(eq(operations.tenantId, tenantId), eq(operations.id, id)));
  }
}

/** Forgets the filters and remarks of exports and actions that ended before. */
export async function forgetOldFilters(tx: Tx, tenantId: string, before: Date): Promise<void> {
  await tx.execute(sql`
    update operations set parameters = parameters - 'filter' - 'remark'
    where tenant_id = ${tenantId} and finished_at < ${at(before)} and parameters ? 'filter'`);
}

/** A category of templates, and the time before which what was made with it is to be forgotten. */
export interface Cutoff {
  category: string;
  before: string;
}

/** Ends the drafts that have waited longer than every template of theirs allows. @returns how many. */
export async function endOldDrafts(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  tenantId: string,
  cutoffs: readonly Cutoff[],
): Promise<number> {
  const old = await tx.execute<{ id: string }>(sql`
    select id from send_requests request where tenant_id = ${tenantId} and status = 'draft' and not exists (
      select 1 from jsonb_array_elements(request.templates) pinned
      left join templates on templates.tenant_id = ${tenantId} and templates.id = (pinned ->> 'id')::uuid
      left join json_to_recordset(${JSON.stringify(cutoffs)}::json) as cutoff(category text, before timestamptz)
        on cutoff.category = templates.category
      where cutoff.before is null or request.updated_at >= cutoff.before)
    order by id limit 500 for update`);
  for (const { id } of old) await endDraft(deps, tx, tenantId, id);
  return old.length;
}
