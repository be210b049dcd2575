import { and, eq, gt, lte, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Tx } from '../../db/client.ts';
import { at, insertRows } from '../../db/rows.ts';
import { recipientAddresses, recipients, responses } from '../../db/tables/people.ts';
import { choiceChanges, choices, consents, suppressions } from '../../db/tables/permissions.ts';
import type { Person } from '../person.ts';
import type { ErasureDeps } from './deps.ts';

type Deps = { clock: Clock; newId: NewId };

/** Those of the addresses that no record but the person's has. */
async function ofNobodyElse(tx: Tx, { tenantId, id }: Person, addresses: readonly string[]): Promise<string[]> {
  const list = JSON.stringify(addresses);
  const rows = await tx.execute<{ address: string }>(sql`
    select address from json_array_elements_text(${list}::json) asked(address) where not exists (
      select 1 from recipient_addresses where tenant_id = ${tenantId} and kind = 'mail'
        and normalized = asked.address and recipient_id <> ${id})`);
  return [...rows].map(({ address }) => address);
}

/**
 * Forgets the addresses of suppressions, and what was noted of them: their hashes stay, and still stop messages.
 * @param asked in their compared form; those that someone else's record has are kept.
 * @returns the ids of the suppressions.
 */
export async function forgetSuppressed(
  deps: ErasureDeps,
  tx: Tx,
  person: Person,
  asked: readonly string[],
): Promise<string[]> {
  const { tenantId } = person;
  const addresses = await ofNobodyElse(tx, person, asked);
  if (addresses.length === 0) return [];
  const hashes = (await deps.addressHashes.of(tx, tenantId, 'mail', addresses)) ?? [];
  const forgotten = await tx
    .update(suppressions)
    .set({ address: null, note: null, updatedAt: deps.clock.now(), revision: sql`${suppressions.revision} + 1` })
    .where(
      and(
        eq(suppressions.tenantId, tenantId),
        eq(suppressions.channel, 'mail'),
        sql`${suppressions.addressHash} in (select json_array_elements_text(${JSON.stringify(hashes)}::json))`,
      ),
    )
    .returning({ id: suppressions.id });
  return forgotten.map(({ id }) => id);
}

/** What the member allowed and will allow: the newest of each kind that has begun, and all that have not. */
async function heldConsents(tx: Tx, tenantId: string, recipientId: string, now: Date) {
  const own = and(eq(consents.tenantId, tenantId), eq(consents.recipientId, recipientId));
  const held = await tx
    .selectDistinctOn([consents.addressKind])
    .from(consents)
    .where(and(own, lte(consents.since, now)))
    .orderBy(consents.addressKind, sql`${consents.since} desc`, sql`${consents.id} desc`);
  const later = await tx
    .select()
    .from(consents)
    .where(and(own, gt(consents.since, now)));
  return [...held.map((one) => ({ ...one, since: now })), ...later];
}

/**
 * Gives what a member said to those whose word it was (M8), before the member is forgotten: a refusal is not lost. Their
 * record stands alone from then on.
 */
async function releaseDependants(deps: Deps, tx: Tx, { tenantId, id }: Person): Promise<void> {
  const now = deps.clock.now();
  const dependants = await tx
    .select({ id: recipients.id })
    .from(recipients)
    .where(and(eq(recipients.tenantId, tenantId), eq(recipients.householdOf, id)))
    .orderBy(recipients.id)
    .for('update');
  if (dependants.length === 0) return;
  const held = await heldConsents(tx, tenantId, id, now);
  const given = dependants.flatMap((dependant) =>
    held.map(({ addressKind, level, since }) => ({
      tenantId,
      recipientId: dependant.id,
      id: deps.newId(),
      addressKind,
      level,
      since,
      source: 'household',
      author: null,
      proof: null,
      createdAt: now,
    })),
  );
  await insertRows(tx, consents, given);
  const ids = dependants.map((one) => one.id);
  await giveChoices(deps, tx, { tenantId, id }, ids);
}

/** The same for what the member chose to get: it is theirs from then on, and told in their history. */
async function giveChoices(
  deps: Deps,
  tx: Tx,
  { tenantId, id }: Pick<Person, 'tenantId' | 'id'>,
  dependants: readonly string[],
): Promise<void> {
  const now = deps.clock.now();
  const said = await tx
    .select()
    .from(choices)
    .where(and(eq(choices.tenantId, tenantId), eq(choices.recipientId, id)))
    .orderBy(choices.notificationTypeId, choices.channel);
  const given = dependants.flatMap((recipientId) =>
    said.map(({ notificationTypeId, channel, accepted }) => ({
      tenantId,
      recipientId,
      notificationTypeId,
      channel,
      accepted,
      source: 'household',
      author: null,
    })),
  );
  if (given.length === 0) return;
  await tx
    .insert(choices)
    .values(given.map((row) => ({ ...row, createdAt: now, updatedAt: now })))
    .onConflictDoUpdate({
      target: [choices.tenantId, choices.recipientId, choices.notificationTypeId, choices.channel],
      set: {
        accepted: sql`excluded.accepted`,
        source: sql`excluded.source`,
        author: null,
        updatedAt: sql`excluded.updated_at`,
      },
    });
  await insertRows(
    tx,
    choiceChanges,
    given.map((row) => ({ ...row, id: deps.newId(), at: now })),
  );
}

async function unlink(deps: Deps, tx: Tx, { tenantId, id }: Person): Promise<void> {
  for (const column of ['household_of', 'reference_contact_of', 'part_of']) {
    const link = sql.identifier(column);
    await tx.execute(sql`
      update recipients set ${link} = null, revision = revision + 1, updated_at = ${at(deps.clock.now())}
      where tenant_id = ${tenantId} and ${link} = ${id}`);
  }
}

/**
 * Deletes a record with all that was said of it and by it; who hung on it stands alone.
 * @returns the ids of what was deleted and may be named elsewhere.
 */
export async function forgetPerson(deps: Deps, tx: Tx, person: Person): Promise<string[]> {
  const { tenantId, id } = person;
  const answered = await tx
    .select({ id: responses.id })
    .from(responses)
    .where(and(eq(responses.tenantId, tenantId), eq(responses.recipientId, id)));
  await releaseDependants(deps, tx, person);
  await unlink(deps, tx, person);
  for (const table of [recipientAddresses, choices, choiceChanges, consents, responses]) {
    await tx.delete(table).where(and(eq(table.tenantId, tenantId), eq(table.recipientId, id)));
  }
  await tx.delete(recipients).where(and(eq(recipients.tenantId, tenantId), eq(recipients.id, id)));
  return [id, ...answered.map((one) => one.id)];
}
