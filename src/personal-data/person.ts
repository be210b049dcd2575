import { and, eq, isNull, or, sql } from 'drizzle-orm';
import type { Db, Tx } from '../db/client.ts';
import { messages } from '../db/tables/messages.ts';
import { recipientAddresses, recipients } from '../db/tables/people.ts';

/** Somebody, with what only they are known by. */
export interface Person {
  tenantId: string;
  id: string;
  /** Null: their record is gone already. */
  external: { type: string; externalId: string } | null;
  /** Mail addresses, in their compared form, that nobody else's record has: a shared one is not theirs alone. */
  addresses: ReadonlySet<string>;
}

/** The person of this id, as their record is now. */
export async function readPerson(db: Db | Tx, tenantId: string, id: string): Promise<Person> {
  const [record] = await db
    .select({ type: recipients.type, externalId: recipients.externalId })
    .from(recipients)
    .where(and(eq(recipients.tenantId, tenantId), eq(recipients.id, id)));
  const own = await db
    .selectDistinct({ normalized: recipientAddresses.normalized })
    .from(recipientAddresses)
    .where(
      and(
        eq(recipientAddresses.tenantId, tenantId),
        eq(recipientAddresses.recipientId, id),
        eq(recipientAddresses.kind, 'mail'),
        sql`not exists (
          select 1 from recipient_addresses other where other.tenant_id = ${tenantId} and other.kind = 'mail'
            and other.normalized = ${recipientAddresses.normalized} and other.recipient_id <> ${id})`,
      ),
    );
  return { tenantId, id, external: record ?? null, addresses: new Set(own.map(({ normalized }) => normalized)) };
}

/**
 * The messages of a person that still hold something: those to them, and those to an address that is theirs alone,
 * whoever was named beside it. Messages of test keys too.
 */
export function messagesOf({ tenantId, id, addresses }: Person) {
  const reached = JSON.stringify([...addresses]);
  return and(
    eq(messages.tenantId, tenantId),
    isNull(messages.erasedAt),
    or(
      eq(messages.recipientId, id),
      sql`${messages.toNormalized} in (select json_array_elements_text(${reached}::json))`,
    ),
  );
}
