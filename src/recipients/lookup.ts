import { and, eq, sql } from 'drizzle-orm';
import type { Db, Tx } from '../db/client.ts';
import { prepareOnce } from '../db/prepare-once.ts';
import { idList } from '../db/rows.ts';
import { recipientAddresses, recipients } from '../db/tables/people.ts';
import { parseRecipientReference, type RecipientReference } from './reference.ts';
import { type RecipientWithAddresses, withAddresses } from './store.ts';

export type { RecipientWithAddresses } from './store.ts';

/** One text for a reference: no type has a colon, so that two references never share it. */
function keyOf(reference: RecipientReference): string {
  return reference.kind === 'id' ? reference.id : `${reference.type}:${reference.externalId}`;
}

/**
 * Recipients by id or `external:{type}:{externalId}`, with their addresses, under the reference as it was given.
 * Those that do not exist are absent. Two queries for any number of references.
 */
export async function findRecipients(
  db: Db | Tx,
  tenantId: string,
  references: readonly string[],
): Promise<Map<string, RecipientWithAddresses>> {
  const wanted = new Map<string, RecipientReference>();
  for (const text of references) {
    const parsed = parseRecipientReference(text);
    if (parsed !== null) wanted.set(text, parsed);
  }
  if (wanted.size === 0) return new Map();
  const parsed = [...wanted.values()];
  const ids = parsed.flatMap((one) => (one.kind === 'id' ? [one.id] : []));
  const externals = parsed.flatMap((one) =>
    one.kind === 'external' ? [{ type: one.type, external_id: one.externalId }] : [],
  );
  const byId = sql`${recipients.id} = any(${idList(ids)})`;
  const byExternal = sql`(${recipients.type}, ${recipients.externalId}) in (
    select type, external_id from json_to_recordset(${JSON.stringify(externals)}::json) as wanted(type text, external_id text))`;
  const select = (where: typeof byId) =>
    db
      .select()
      .from(recipients)
      .where(and(eq(recipients.tenantId, tenantId), where));
  // Apart rather than with `or`, which would make PostgreSQL read the whole tenant.
  const named = ids.length === 0 ? [] : await select(byId);
  const known = externals.length === 0 ? [] : await select(byExternal);
  const rows = new Map([...named, ...known].map((row) => [row.id, row]));
  const found = new Map<string, RecipientWithAddresses>();
  for (const row of await withAddresses(db, tenantId, [...rows.values()])) {
    found.set(row.id, row);
    found.set(`${row.type}:${row.externalId}`, row);
  }
  return new Map(
    [...wanted].flatMap(([text, reference]) => {
      const row = found.get(keyOf(reference));
      return row === undefined ? [] : [[text, row] as const];
    }),
  );
}

/** Someone whose record has an address, and whether they accept contact by it. */
export interface AddressOwner {
  id: string;
  acceptsContact: boolean;
}

const ownersOf = prepareOnce((db) =>
  db
    .select({
      id: recipientAddresses.recipientId,
      normalized: recipientAddresses.normalized,
      acceptsContact: sql<boolean>`bool_and(${recipientAddresses.acceptsContact})`,
    })
    .from(recipientAddresses)
    .where(
      and(
        eq(recipientAddresses.tenantId, sql.placeholder('tenantId')),
        eq(recipientAddresses.kind, 'mail'),
        sql`${recipientAddresses.normalized} in (
          select json_array_elements_text(${sql.placeholder('normalized')}::json))`,
      ),
    )
    .groupBy(recipientAddresses.recipientId, recipientAddresses.normalized),
);

/**
 * Whose mail addresses these are: ids of recipients by normalized address (`parseAddrSpec`). One address may belong
 * to several people; an address of nobody is absent.
 */
export async function findRecipientsByAddress(
  db: Db | Tx,
  tenantId: string,
  normalized: readonly string[],
): Promise<Map<string, AddressOwner[]>> {
  if (normalized.length === 0) return new Map();
  const rows = await ownersOf(db).execute({ tenantId, normalized: JSON.stringify(normalized) });
  const owners = new Map<string, AddressOwner[]>();
  for (const { normalized: address, ...owner } of rows) owners.set(address, [...(owners.get(address) ?? []), owner]);
  return owners;
}

/**
 * The mail address to write to: the preferred one, else the first; never one that does not accept contact. Null when
 * there is none. `name` is the recipient's display name.
 */
export function chooseMailAddress(
  recipient: Pick<RecipientWithAddresses, 'displayName' | 'addresses'>,
): { address: string; normalized: string; name: string | null } | null {
  const usable = recipient.addresses.filter(({ kind, acceptsContact }) => kind === 'mail' && acceptsContact);
  const chosen = usable.find(({ preferred }) => preferred) ?? usable[0];
  if (chosen === undefined) return null;
  return { address: chosen.value, normalized: chosen.normalized, name: recipient.displayName };
}
