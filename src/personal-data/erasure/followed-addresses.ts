import { and, eq, sql } from 'drizzle-orm';
import type { Db, Tx } from '../../db/client.ts';
import { operations } from '../../db/tables/dispatch.ts';
import type { Secrets } from '../../tenants/secrets.ts';
import type { Person } from '../person.ts';
import type { Erasure } from './deps.ts';

type Sealing = { secrets: Pick<Secrets, 'seal' | 'open'> };

/** Addresses as an operation keeps them: its row outlives the person, so never in plain. */
export function sealAddresses({ secrets }: Sealing, addresses: readonly string[]): string {
  return secrets.seal(JSON.stringify(addresses));
}

/** What operations for this person have sealed, and did not come to the end of. */
export async function sealedBefore({ secrets }: Sealing, tx: Tx, { tenantId, id }: Person): Promise<string[]> {
  const kept = await tx.execute<{ sealed: string }>(sql`
    select parameters ->> 'addresses' as sealed from operations
    where tenant_id = ${tenantId} and kind = 'erase' and parameters ->> 'recipient' = ${id} and parameters ? 'addresses'`);
  return [...kept].flatMap(({ sealed }) => JSON.parse(secrets.open(sealed)) as string[]);
}

/**
 * Addresses that a person's messages went to: those that their record had once. What went through somebody else (a
 * household, a contact) says nothing of whose an address is, so none that another's messages went to; but those who are
 * reached through the person count as the person.
 */
async function findFormer(tx: Db | Tx, { tenantId, id }: Person): Promise<string[]> {
  const former = await tx.execute<{ address: string }>(sql`
    select distinct own.to_normalized as address from messages own
    where own.tenant_id = ${tenantId} and own.recipient_id = ${id} and own.erased_at is null
      and own.to_normalized is not null and not exists (
        select 1 from messages other where other.tenant_id = ${tenantId} and other.to_normalized = own.to_normalized
          and other.recipient_id <> ${id} and not exists (
            select 1 from recipients through where through.tenant_id = ${tenantId} and through.id = other.recipient_id
              and ${id} in (through.household_of, through.reference_contact_of)))`);
  return [...former].map(({ address }) => address);
}

/** Those that nobody else's record has: what has come to be somebody's is theirs. */
export async function ofNobodyElse(
  tx: Db | Tx,
  { tenantId, id }: Person,
  addresses: readonly string[],
): Promise<string[]> {
  const left = await tx.execute<{ address: string }>(sql`
    select address from json_array_elements_text(${JSON.stringify(addresses)}::json) asked(address) where not exists (
      select 1 from recipient_addresses where tenant_id = ${tenantId} and kind = 'mail'
        and normalized = asked.address and recipient_id <> ${id})`);
  return [...left].map(({ address }) => address);
}

/**
 * The person with addresses beyond those of today's record: what is known already, and what their messages that are not
 * emptied yet went to.
 * @param known in their compared form.
 */
export async function withFormerAddresses(tx: Db | Tx, person: Person, known: readonly string[]): Promise<Person> {
  const asked = [...new Set([...known, ...(await findFormer(tx, person))])];
  const former = asked.length === 0 ? [] : await ofNobodyElse(tx, person, asked);
  return { ...person, addresses: new Set([...person.addresses, ...former]) };
}

/**
 * The same for a step of an operation. What is found is kept with the operation to its end: once the messages are empty
 * nothing else says it.
 * @param sealed what the operation keeps so far.
 */
export async function followAddresses(
  deps: Sealing,
  tx: Tx,
  { tenantId, operationId }: Erasure,
  person: Person,
  sealed: string | null,
): Promise<Person> {
  const known = sealed === null ? [] : (JSON.parse(deps.secrets.open(sealed)) as string[]);
  const followed = await withFormerAddresses(tx, person, known);
  const found = [...followed.addresses].filter((address) => !known.includes(address));
  if (found.length > 0) {
    const addresses = sealAddresses(deps, [...known, ...found]);
    await tx
      .update(operations)
      .set({ parameters: sql`${operations.parameters} || ${JSON.stringify({ addresses })}::jsonb` })
      .where(and(eq(operations.tenantId, tenantId), eq(operations.id, operationId)));
  }
  return followed;
}

/** Forgets what operations for this person have sealed. */
export async function forgetFollowed(tx: Tx, { tenantId, operationId }: Erasure, { id }: Person): Promise<void> {
  await tx.execute(sql`
    update operations set parameters = parameters - 'addresses'
    where tenant_id = ${tenantId} and kind = 'erase' and parameters ? 'addresses'
      and (id = ${operationId} or parameters ->> 'recipient' = ${id})`);
}
