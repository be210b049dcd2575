import { and, eq, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Tx } from '../../db/client.ts';
import { at } from '../../db/rows.ts';
import { recipientAddresses, recipients, responses } from '../../db/tables/people.ts';
import { choiceChanges, choices, consents, suppressions } from '../../db/tables/permissions.ts';
import { handDown } from '../../recipients/permissions/hand-down.ts';
import { findLastRefusals } from '../../recipients/permissions/refused-addresses.ts';
import { findSuppression, hashOfAddress, insertSuppression } from '../../suppressions/store.ts';
import { serviceActor } from '../../tenants/rights.ts';
import type { Person } from '../person.ts';
import type { ErasureDeps } from './deps.ts';
import { ofNobodyElse } from './followed-addresses.ts';

type Deps = { clock: Clock; newId: NewId };

/**
 * Forgets the addresses of suppressions, and what was noted of them: their hashes stay, and still stop messages.
 * @param asked in their compared form; those that someone else's record has are kept.
 */
export async function forgetSuppressed(
  deps: ErasureDeps,
  tx: Tx,
  person: Person,
  asked: readonly string[],
): Promise<void> {
  const { tenantId } = person;
  const addresses = await ofNobodyElse(tx, person, asked);
  if (addresses.length === 0) return;
  const hashes = (await deps.addressHashes.of(tx, tenantId, 'mail', addresses)) ?? [];
  await tx
    .update(suppressions)
    .set({ address: null, note: null, updatedAt: deps.clock.now(), revision: sql`${suppressions.revision} + 1` })
    .where(
      and(
        eq(suppressions.tenantId, tenantId),
        eq(suppressions.channel, 'mail'),
        sql`${suppressions.addressHash} in (select json_array_elements_text(${JSON.stringify(hashes)}::json))`,
      ),
    );
}

/**
 * Gives what a member said to those whose word it was (M8), before the member is forgotten. Their record stands alone
 * from then on.
 */
async function releaseDependants(deps: Deps, tx: Tx, { tenantId, id }: Person): Promise<void> {
  const dependants = await tx
    .select({ id: recipients.id })
    .from(recipients)
    .where(and(eq(recipients.tenantId, tenantId), eq(recipients.householdOf, id)))
    .orderBy(recipients.id)
    .for('update');
  await handDown(deps, tx, { tenantId, memberId: id, personIds: dependants.map((one) => one.id) });
}

/**
 * Suppresses by its hash each mail address that the person refused to be written to by, where it is nobody else's: who is
 * known again tomorrow has refused still.
 */
async function keepRefusals(deps: ErasureDeps, tx: Tx, { tenantId, id, addresses }: Person): Promise<void> {
  const leaving = new Map([...addresses].map((address) => [address, new Set([id])]));
  for (const address of await findLastRefusals(tx, tenantId, leaving, new Set([id]))) {
    const addressHash = await hashOfAddress(deps, tx, { tenantId, channel: 'mail', address });
    if (addressHash === null || (await findSuppression(tx, tenantId, 'mail', addressHash)) !== null) continue;
    const kept = { channel: 'mail' as const, address: null, addressHash, cause: 'manual' as const, note: null };
    await insertSuppression(deps, tx, { tenantId, actor: serviceActor }, { ...kept, since: deps.clock.now() });
  }
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
 * Deletes a record with all that was said of it and by it; who hung on it stands alone. What they refused to be written to
 * by stays suppressed.
 */
export async function forgetPerson(deps: ErasureDeps, tx: Tx, person: Person): Promise<void> {
  const { tenantId, id } = person;
  await keepRefusals(deps, tx, person);
  await releaseDependants(deps, tx, person);
  await unlink(deps, tx, person);
  for (const table of [recipientAddresses, choices, choiceChanges, consents, responses]) {
    await tx.delete(table).where(and(eq(table.tenantId, tenantId), eq(table.recipientId, id)));
  }
  await tx.delete(recipients).where(and(eq(recipients.tenantId, tenantId), eq(recipients.id, id)));
}
