/** Asking for a person to be erased: by their record, by what is left of one, or by an address that no record has. */
import { and, eq, inArray, isNull, ne, or, type SQL, sql } from 'drizzle-orm';
import { parseAddrSpec } from '../channels/mail/addr-spec.ts';
import type { Tx } from '../db/client.ts';
import { operations } from '../db/tables/dispatch.ts';
import { messages } from '../db/tables/messages.ts';
import { recipientAddresses } from '../db/tables/people.ts';
import { AppError, invalidField, notFound } from '../errors.ts';
import { blockMessages } from '../messages/act.ts';
import type { MoveDeps } from '../messages/to-valid.ts';
import { lockUnerased } from '../personal-data/erasure/empty-messages.ts';
import { sealAddresses, sealedBefore, withFormerAddresses } from '../personal-data/erasure/followed-addresses.ts';
import { messagesOf, type Person, readPerson } from '../personal-data/person.ts';
import { parseRecipientReference } from '../recipients/reference.ts';
import { lockRecipient } from '../recipients/store.ts';
import { actorOf, type Caller } from '../tenants/rights.ts';
import { lockTenant } from '../tenants/store.ts';
import { receivedSoFar } from './import/uploads.ts';
import { createOperation, type OperationDeps, type OperationRow, serviceCaller } from './store.ts';

type StartDeps = MoveDeps & Pick<OperationDeps, 'secrets'>;

async function runningErasure(tx: Tx, tenantId: string, ofWhom: SQL): Promise<OperationRow | undefined> {
  const [running] = await tx
    .select()
    .from(operations)
    .where(and(eq(operations.tenantId, tenantId), eq(operations.kind, 'erase'), isNull(operations.finishedAt), ofWhom));
  return running;
}

const ofRecipient = (id: string) => sql`${operations.parameters} ->> 'recipient' = ${id}`;

/** Blocks what waits for them, and makes the operation that does the rest. @throws AppError `being_sent`. */
async function order(
  deps: StartDeps,
  tx: Tx,
  caller: Caller,
  person: Person,
  parameters: Record<string, unknown>,
): Promise<OperationRow> {
  const theirs = messagesOf(person);
  const leaving = await tx
    .select({ id: messages.id })
    .from(messages)
    .where(and(theirs, or(inArray(messages.status, ['E', 'V']), ne(messages.dispatchState, 'idle'))));
  const ids = leaving.map(({ id }) => id);
  const { free, beingSent } = await lockUnerased(tx, caller.tenantId, ids);
  if (beingSent.length > 0) {
    throw new AppError('being_sent', {
      detail: 'A message to this person is being sent: try again in a moment. Nothing was erased.',
      extra: { messages: beingSent },
    });
  }
  const waiting = free.filter(({ status }) => status === 'E' || status === 'V');
  await blockMessages(deps, tx, actorOf(caller), waiting, { reason: 'erased', facts: null, remark: null });
  const total = await tx.$count(messages, theirs);
  const addresses = sealAddresses(deps, [...person.addresses]);
  const imports = await receivedSoFar(tx, caller.tenantId);
  return createOperation(deps, tx, caller, { kind: 'erase', parameters: { ...parameters, addresses, imports }, total });
}

/** The id of a person, held: of their record, or of one that is gone and that messages still name. */
async function holdPerson(tx: Tx, tenantId: string, reference: string): Promise<string> {
  const recipient = await lockRecipient(tx, tenantId, reference, 'delete');
  if (recipient !== null) return recipient.id;
  const named = parseRecipientReference(reference);
  if (named?.kind !== 'id') throw notFound();
  // There is no record to hold against another who asks for the same.
  await lockTenant(tx, tenantId);
  if ((await runningErasure(tx, tenantId, ofRecipient(named.id))) !== undefined) return named.id;
  const [message] = await tx
    .select({ id: messages.id })
    .from(messages)
    .where(and(eq(messages.tenantId, tenantId), eq(messages.recipientId, named.id), isNull(messages.erasedAt)))
    .limit(1);
  if (message === undefined) throw notFound();
  return named.id;
}

/**
 * Asks for a person to be erased. What waits for them becomes `B` `erased` at once; the rest is the operation's work.
 * Asked twice it is the same operation. The tenant has its key (`AddressHashes.prepare`).
 * @param reference of a record; or the id of one that was deleted, while messages name it.
 * @throws AppError `not_found`; `being_sent` when one of their messages is on its way at this moment: nothing is done.
 */
export async function startErasure(deps: StartDeps, tx: Tx, caller: Caller, reference: string): Promise<OperationRow> {
  const { tenantId } = caller;
  const recipient = await holdPerson(tx, tenantId, reference);
  const running = await runningErasure(tx, tenantId, ofRecipient(recipient));
  if (running !== undefined) return running;
  const known = await readPerson(tx, tenantId, recipient);
  const person = await withFormerAddresses(tx, known, await sealedBefore(deps, tx, known));
  return order(deps, tx, caller, person, { recipient });
}

/**
 * The same for whoever an address belongs to, where no record has it: all messages to it are theirs, whoever was named
 * beside it.
 * @throws AppError `unprocessable` when it is no address; `in_use` naming the recipients whose record has it: each is to
 * be erased as such, and none by half; `being_sent`.
 */
export async function startErasureOfAddress(
  deps: StartDeps,
  tx: Tx,
  caller: Caller,
  address: string,
): Promise<OperationRow> {
  const { tenantId } = caller;
  const parsed = parseAddrSpec(address);
  if (parsed.kind === 'invalid') throw invalidField('/address', 'address_invalid', parsed.why);
  const { normalized } = parsed;
  await lockTenant(tx, tenantId);
  const owners = await tx
    .selectDistinct({ id: recipientAddresses.recipientId })
    .from(recipientAddresses)
    .where(
      and(
        eq(recipientAddresses.tenantId, tenantId),
        eq(recipientAddresses.kind, 'mail'),
        eq(recipientAddresses.normalized, normalized),
      ),
    );
  if (owners.length > 0) {
    const detail = 'The address is in the record of a recipient: erase the recipient. Nothing was erased.';
    throw new AppError('in_use', { detail, extra: { recipients: owners.map(({ id }) => id) } });
  }
  const [addressHash = null] = (await deps.addressHashes.of(tx, tenantId, 'mail', [normalized])) ?? [];
  const running = await runningErasure(tx, tenantId, sql`${operations.parameters} ->> 'addressHash' = ${addressHash}`);
  if (running !== undefined) return running;
  const person = { tenantId, id: deps.newId(), external: null, addresses: new Set([normalized]) };
  return order(deps, tx, caller, person, { recipient: null, addressHash });
}

/**
 * Starts again for people whose messages came to be stored behind their erasure: a request that had read their record
 * a moment before. @returns how many.
 */
export async function eraseLatecomers(deps: OperationDeps, since: Date): Promise<number> {
  const late = await deps.db.execute<{ tenant_id: string; recipient: string }>(sql`
    select distinct done.tenant_id, done.parameters ->> 'recipient' as recipient from operations done
    join messages on messages.tenant_id = done.tenant_id
      and messages.recipient_id = (done.parameters ->> 'recipient')::uuid and messages.erased_at is null
    where done.kind = 'erase' and done.status = 'done' and done.finished_at >= ${since.toISOString()}::timestamptz
      and not exists (select 1 from recipients
        where recipients.tenant_id = done.tenant_id and recipients.id = (done.parameters ->> 'recipient')::uuid)`);
  let started = 0;
  for (const { tenant_id: tenantId, recipient } of late) {
    await deps.db.transaction(async (tx) => {
      await lockTenant(tx, tenantId);
      if ((await runningErasure(tx, tenantId, ofRecipient(recipient))) !== undefined) return;
      await createOperation(deps, tx, serviceCaller(tenantId), { kind: 'erase', parameters: { recipient }, total: 0 });
      started += 1;
    });
  }
  return started;
}
