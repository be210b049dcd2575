import { and, eq, inArray, sql } from 'drizzle-orm';
import { parseAddrSpec } from '../../channels/mail/addr-spec.ts';
import type { Tx } from '../../db/client.ts';
import { attempts, messages, type StoredCopy } from '../../db/tables/messages.ts';
import { AppError } from '../../errors.ts';
import { createContentCache, type MessageRow } from '../../messages/content.ts';
import { previewMessage } from '../../messages/preview.ts';
import type { ErasureDeps } from './deps.ts';
import type { Span } from './walk.ts';

/** Whether a text is, or holds where it is no address, one of these addresses (`parseAddrSpec`: normalized). */
function names(text: string, addresses: ReadonlySet<string>): boolean {
  const parsed = parseAddrSpec(text);
  if (parsed.kind === 'address') return addresses.has(parsed.normalized);
  const lower = text.toLowerCase();
  return [...addresses].some((address) => lower.includes(address));
}

function withoutPerson(row: MessageRow, addresses: ReadonlySet<string>): StoredCopy[] {
  return row.copies.map((copy) => {
    if (copy.kind === 'archive' || !names(copy.address, addresses)) return copy;
    if (row.status !== 'OK' && copy.outcome !== 'accepted') {
      // Blocked: it is no longer a part of what will leave.
      return { ...copy, name: null, address: '', outcome: 'blocked', reason: 'erased' };
    }
    const reached = copy.outcome === 'pending' ? { outcome: 'skipped' as const, reason: 'erased' } : {};
    return { ...copy, ...reached, name: null, address: '' };
  });
}

/** The hash of what will leave now that a copy was taken out; that of before where nothing can be rendered. */
async function hashOf(deps: ErasureDeps, tx: Tx, row: MessageRow): Promise<string | null> {
  try {
    const how = { redirect: null, composedAt: null };
    return (await previewMessage(deps, createContentCache(tx), row, how)).contentHash;
  } catch (error) {
    if (error instanceof AppError) return row.contentHash;
    throw error;
  }
}

async function forgetCopies(deps: ErasureDeps, tx: Tx, row: MessageRow, addresses: ReadonlySet<string>) {
  const copies = withoutPerson(row, addresses);
  const leaves = row.status !== 'OK';
  const contentRevision = row.contentRevision + (leaves ? 1 : 0);
  const next = { ...row, copies, contentRevision };
  // Sent already, and no copy is left to be tried: there is nothing more to do for it.
  const ended = row.status === 'OK' && !copies.some(({ outcome }) => outcome === 'pending');
  await tx
    .update(messages)
    .set({
      copies,
      contentRevision,
      contentHash: leaves ? await hashOf(deps, tx, next) : row.contentHash,
      ...(ended ? { dispatchState: 'idle' as const, jobId: null } : {}),
      revision: sql`${messages.revision} + 1`,
      updatedAt: deps.clock.now(),
    })
    .where(and(eq(messages.tenantId, row.tenantId), eq(messages.id, row.id)));
}

/** @returns the ids of the messages whose attempts named the person. */
async function forgetInAttempts(
  tx: Tx,
  tenantId: string,
  addresses: ReadonlySet<string>,
  span: Span,
): Promise<string[]> {
  const list = sql`(select json_array_elements_text(${JSON.stringify([...addresses])}::json) as address)`;
  const spanned = sql`tenant_id = ${tenantId} and message_id > ${span.after} and message_id <= ${span.to}`;
  const answers = await tx.execute<{ message_id: string }>(sql`
    update attempts set answer = null
    where ${spanned} and answer is not null
      and exists (select 1 from ${list} person where strpos(lower(attempts.answer), person.address) > 0)
    returning message_id`);
  const named = await tx
    .select({ messageId: attempts.messageId, id: attempts.id, copies: attempts.copies })
    .from(attempts)
    .where(
      sql`${spanned} and jsonb_typeof(copies) = 'array' and copies <> '[]'
        and exists (select 1 from ${list} person where strpos(lower(attempts.copies::text), person.address) > 0)`,
    );
  for (const { messageId, id, copies } of named) {
    const kept = (copies ?? []).map((copy) => (names(copy.address, addresses) ? { ...copy, address: '' } : copy));
    await tx
      .update(attempts)
      .set({ copies: kept })
      .where(and(eq(attempts.tenantId, tenantId), eq(attempts.messageId, messageId), eq(attempts.id, id)));
  }
  return [...[...answers].map((one) => one.message_id), ...named.map(({ messageId }) => messageId)];
}

/** What became of the messages of others that had a copy for the person. */
export interface Mentions {
  /** Ids of those that have none any more. */
  forgotten: string[];
  /** Ids of those that are being sent: look again. */
  beingSent: string[];
}

/**
 * Takes the person's addresses out of the copies of other people's messages, and of what was tried for them. What still
 * waits leaves without that copy, under the same approval: a copy less says nothing new to anybody.
 */
export async function forgetMentions(
  deps: ErasureDeps,
  tx: Tx,
  tenantId: string,
  addresses: ReadonlySet<string>,
  span: Span,
): Promise<Mentions> {
  if (addresses.size === 0) return { forgotten: [], beingSent: [] };
  const found = await tx.execute<{ id: string }>(sql`
    select id from messages
    where tenant_id = ${tenantId} and id > ${span.after} and id <= ${span.to} and copies <> '[]' and exists (
      select 1 from json_array_elements_text(${JSON.stringify([...addresses])}::json) person(address)
      where strpos(lower(messages.copies::text), person.address) > 0)`);
  const ids = [...found].map(({ id }) => id);
  const rows =
    ids.length === 0
      ? []
      : await tx
          .select()
          .from(messages)
          .where(and(eq(messages.tenantId, tenantId), inArray(messages.id, ids)))
          .orderBy(messages.id)
          .for('update');
  const naming = rows.filter(({ copies }) =>
    copies.some(({ kind, address }) => kind !== 'archive' && names(address, addresses)),
  );
  const free = naming.filter(({ dispatchState }) => dispatchState !== 'sending');
  for (const row of free) await forgetCopies(deps, tx, row, addresses);
  const tried = await forgetInAttempts(tx, tenantId, addresses, span);
  const beingSent = naming.filter(({ dispatchState }) => dispatchState === 'sending').map(({ id }) => id);
  return { forgotten: [...new Set([...free.map(({ id }) => id), ...tried])], beingSent };
}
