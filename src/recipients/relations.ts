/** Whom recipients belong to: the member of a household (M8), the structure of a contact (J5) or of a part (M11). */
import { and, asc, eq, isNotNull, or, sql } from 'drizzle-orm';
import type { Db, Tx } from '../db/client.ts';
import { idList } from '../db/rows.ts';
import { recipients } from '../db/tables/people.ts';
import { AppError, invalidField } from '../errors.ts';
import { lockTenant } from '../tenants/store.ts';
import { parseRecipientReference, type RecipientReference } from './reference.ts';

/** Names of the relations, as the fields of a recipient. */
export const relationNames = ['householdOf', 'referenceContactOf', 'partOf'] as const;

export type RelationName = (typeof relationNames)[number];

/** Relations as callers give them: a reference, or null for none. */
export type GivenRelations = { [Name in RelationName]?: string | null };

/** The same as they are kept: ids. */
export type Relations = { [Name in RelationName]?: string | null };

type Related = Pick<typeof recipients.$inferSelect, 'id' | RelationName>;

/** Structures that one may be a part of, one above the other: more is taken for a loop. */
const longestChain = 10;

/** Whether any relation is among the fields. */
export const hasRelations = (given: GivenRelations): boolean => relationNames.some((name) => given[name] != null);

/**
 * Keeps other changes of relations of this tenant away until the end of the transaction: two that are right each by
 * itself can make a loop together. Before any recipient is locked, so that nobody waits in a circle.
 */
export async function lockRelations(tx: Tx, tenantId: string): Promise<void> {
  await lockTenant(tx, tenantId);
}

async function findRelated(tx: Tx, tenantId: string, reference: RecipientReference): Promise<Related | null> {
  const named =
    reference.kind === 'id'
      ? eq(recipients.id, reference.id)
      : and(eq(recipients.type, reference.type), eq(recipients.externalId, reference.externalId));
  // Held: whoever is deleted at this moment is nobody's member.
  const [row] = await tx
    .select()
    .from(recipients)
    .where(and(eq(recipients.tenantId, tenantId), named))
    .for('key share');
  return row ?? null;
}

function refuse(name: RelationName, code: string, message: string): AppError {
  return invalidField(`/${name}`, code, message);
}

/** The fault of a relation that names nobody. */
export function relationUnknown(name: RelationName): AppError {
  return refuse(name, 'recipient_unknown', 'there is no such recipient');
}

/** A household is one member and those who follow them: nobody follows somebody who follows another. */
async function checkHousehold(tx: Tx, tenantId: string, self: string | null, member: Related): Promise<void> {
  if (member.id === self || (self !== null && member.householdOf === self)) {
    throw refuse('householdOf', 'household_loop', 'nobody is of their own household');
  }
  if (member.householdOf !== null) {
    throw refuse('householdOf', 'household_nested', `that person is of the household of ${member.householdOf}`);
  }
  if (self === null) return;
  const [dependant] = await tx
    .select({ id: recipients.id })
    .from(recipients)
    .where(and(eq(recipients.tenantId, tenantId), eq(recipients.householdOf, self)))
    .limit(1);
  if (dependant === undefined) return;
  throw refuse('householdOf', 'household_nested', `others are of this person’s own household: ${dependant.id}`);
}

async function checkContact(tx: Tx, tenantId: string, self: string | null, structure: Related): Promise<void> {
  if (structure.id === self) throw refuse('referenceContactOf', 'structure_loop', 'nobody is their own contact');
  const [known] = await tx
    .select({ id: recipients.id })
    .from(recipients)
    .where(and(eq(recipients.tenantId, tenantId), eq(recipients.referenceContactOf, structure.id)));
  if (known === undefined || known.id === self) return;
  throw refuse('referenceContactOf', 'reference_contact_taken', `the structure has the reference contact ${known.id}`);
}

async function checkPart(tx: Tx, tenantId: string, self: string | null, structure: Related): Promise<void> {
  let above: Related | null = structure;
  for (let step = 1; above !== null; step += 1) {
    if (above.id === self || step > longestChain) {
      throw refuse(
        'partOf',
        'structure_loop',
        `a structure is no part of itself, nor of more than ${longestChain} others`,
      );
    }
    above = above.partOf === null ? null : await findRelated(tx, tenantId, { kind: 'id', id: above.partOf });
  }
}

const checks = { householdOf: checkHousehold, referenceContactOf: checkContact, partOf: checkPart };

/**
 * Finds and checks the relations of a recipient. `lockRelations` comes before.
 * @param self the id of the recipient; null where it is being made.
 * @returns those that were given, as ids.
 * @throws AppError `unprocessable` at the field: `recipient_unknown`, `household_loop`, `household_nested`,
 * `reference_contact_taken`, `structure_loop`.
 */
export async function readRelations(
  tx: Tx,
  tenantId: string,
  self: string | null,
  given: GivenRelations,
): Promise<Relations> {
  const read: Relations = {};
  for (const name of relationNames) {
    const text = given[name];
    if (text === undefined) continue;
    read[name] = null;
    if (text === null) continue;
    const reference = parseRecipientReference(text);
    const related = reference === null ? null : await findRelated(tx, tenantId, reference);
    if (related === null) throw relationUnknown(name);
    await checks[name](tx, tenantId, self, related);
    read[name] = related.id;
  }
  return read;
}

/**
 * Nobody's word is lost with a record: a member whose dependants follow them, and a structure with parts or a contact,
 * are not deleted.
 * @throws AppError `in_use` naming one of them.
 */
export async function refuseWhereRelated(tx: Tx, tenantId: string, id: string): Promise<void> {
  const [related] = await tx
    .select()
    .from(recipients)
    .where(
      and(
        eq(recipients.tenantId, tenantId),
        or(eq(recipients.householdOf, id), eq(recipients.referenceContactOf, id), eq(recipients.partOf, id)),
      ),
    )
    .orderBy(asc(recipients.id))
    .limit(1);
  if (related === undefined) return;
  const how = relationNames.find((name) => related[name] === id);
  throw new AppError('in_use', {
    detail: `The recipient ${related.id} is ${how} of it.`,
    extra: { recipient: related.id },
  });
}

/**
 * Ids of structures and of all above them, however many: one statement, which would end at a loop too. Those that do
 * not exist are absent.
 */
export async function findStructuresAbove(
  db: Db | Tx,
  tenantId: string,
  structureIds: readonly string[],
): Promise<string[]> {
  if (structureIds.length === 0) return [];
  const rows = await db.execute<{ id: string }>(sql`
    with recursive above as (
      select id, part_of from recipients where tenant_id = ${tenantId} and id = any(${idList(structureIds)})
      union
      select structure.id, structure.part_of from above
      join recipients structure on structure.tenant_id = ${tenantId} and structure.id = above.part_of
    )
    select id from above`);
  return rows.map(({ id }) => id);
}

/** Ids of the reference contacts of structures, by structure. */
export async function findReferenceContacts(
  db: Db | Tx,
  tenantId: string,
  structureIds: readonly string[],
): Promise<Map<string, string>> {
  if (structureIds.length === 0) return new Map();
  const rows = await db
    .select({ id: recipients.id, structure: recipients.referenceContactOf })
    .from(recipients)
    .where(
      and(
        eq(recipients.tenantId, tenantId),
        isNotNull(recipients.referenceContactOf),
        sql`${recipients.referenceContactOf} = any(${idList(structureIds)})`,
      ),
    );
  return new Map(rows.map(({ id, structure }) => [structure ?? '', id]));
}
