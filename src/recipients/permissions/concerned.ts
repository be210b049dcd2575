import { sql } from 'drizzle-orm';
import type { Db, Tx } from '../../db/client.ts';
import { prepareOnce } from '../../db/prepare-once.ts';
import type { ConsentLevel } from './consent-levels.ts';
import { saidThemselves } from './handed-down.ts';

/** The consent that holds by one kind of address: the newest that was recorded. */
export interface HeldConsent {
  id: string;
  level: ConsentLevel;
  since: Date;
}

/** Someone whose word counts when an address is written to. */
export interface PersonConcerned {
  id: string;
  /** Whose consents and choices hold for them: the member of their household, else they themselves (M8). */
  holderId: string;
  /** Whether they accept contact by the address they were found by (J5). */
  acceptsContact: boolean;
  /** By mail, of the holder. Null: never said, so that the default of the organisation holds. */
  consent: HeldConsent | null;
  /** What they said themselves, where another one is the holder: it counts where it goes less far. */
  ownConsent: HeldConsent | null;
}

/** The consent that decides for somebody: the holder's, or their own where it goes less far. Null: the default does. */
export function decidingConsent(
  { consent, ownConsent }: Pick<PersonConcerned, 'consent' | 'ownConsent'>,
  defaultLevel: number,
): HeldConsent | null {
  return ownConsent !== null && ownConsent.level < (consent?.level ?? defaultLevel) ? ownConsent : consent;
}

/** People, as they were asked for. */
export interface PeopleConcerned {
  /** Owners of mail addresses, by normalized address. One address may belong to several people. */
  byAddress: ReadonlyMap<string, readonly PersonConcerned[]>;
  /** Those who were named. Those who have no record any more are absent. */
  byId: ReadonlyMap<string, PersonConcerned>;
  /**
   * Structures above those who were named, by the address of their reference contact: whoever writes to a part by it has
   * gone through them.
   */
  passed: ReadonlyMap<string, readonly PassedStructure[]>;
}

/** A structure between somebody and the contact by whom they are reached. */
export interface PassedStructure extends PersonConcerned {
  /** Who is a part of it. */
  partId: string;
}

const concernedOf = prepareOnce((db) =>
  db
    .select({
      id: sql<string>`concerned.id`,
      partId: sql<string | null>`concerned.part_id`,
      normalized: sql<string | null>`concerned.normalized`,
      acceptsContact: sql<boolean>`concerned.accepts_contact`,
      holderId: sql<string>`person.holder`,
      consentId: sql<string | null>`held.id`,
      level: sql<ConsentLevel | null>`held.level`,
      sinceMs: sql<number | null>`(extract(epoch from held.since) * 1000)::float8`,
      ownConsentId: sql<string | null>`own.id`,
      ownLevel: sql<ConsentLevel | null>`own.level`,
      ownSinceMs: sql<number | null>`(extract(epoch from own.since) * 1000)::float8`,
    })
    .from(
      sql`(
        select recipient_id as id, normalized, bool_and(accepts_contact) as accepts_contact, null::uuid as part_id
        from recipient_addresses
        where tenant_id = ${sql.placeholder('tenantId')}::uuid and kind = 'mail'
          and normalized in (select json_array_elements_text(${sql.placeholder('normalized')}::json))
        group by recipient_id, normalized
        union all
        select value::uuid, null, true, null from json_array_elements_text(${sql.placeholder('ids')}::json)
        union all
        select distinct structure.id, address.normalized, true, part.id
        from json_array_elements_text(${sql.placeholder('ids')}::json) named
        join recipients part on part.tenant_id = ${sql.placeholder('tenantId')}::uuid and part.id = named.value::uuid
          and part.part_of is not null
        cross join lateral (
          with recursive above as (
            select part.part_of as id
            union
            select upper.part_of from above join recipients upper
              on upper.tenant_id = ${sql.placeholder('tenantId')}::uuid and upper.id = above.id
              and upper.part_of is not null
          )
          select id from above
        ) structure
        join recipients contact on contact.tenant_id = ${sql.placeholder('tenantId')}::uuid
          and contact.reference_contact_of = structure.id
        join recipient_addresses address on address.tenant_id = ${sql.placeholder('tenantId')}::uuid
          and address.recipient_id = contact.id and address.kind = 'mail'
          and address.normalized in (select json_array_elements_text(${sql.placeholder('normalized')}::json))
      ) concerned
      cross join lateral (
        select coalesce(household_of, id) as holder from recipients
        where tenant_id = ${sql.placeholder('tenantId')}::uuid and recipients.id = concerned.id
      ) person
      left join lateral (
        select id, level, since from consents
        where tenant_id = ${sql.placeholder('tenantId')}::uuid and recipient_id = person.holder
          and address_kind = 'mail'
        order by since desc, id desc limit 1
      ) held on true
      left join lateral (
        select id, level, since from consents
        where person.holder <> concerned.id and tenant_id = ${sql.placeholder('tenantId')}::uuid
          and recipient_id = concerned.id and address_kind = 'mail' and ${saidThemselves}
        order by since desc, id desc limit 1
      ) own on true`,
    ),
);

function heldOf(id: string | null, level: ConsentLevel | null, sinceMs: number | null): HeldConsent | null {
  return id === null || level === null || sinceMs === null ? null : { id, level, since: new Date(sinceMs) };
}

/** Those concerned by mail to these addresses (`parseAddrSpec`: normalized) or to these people: one statement. */
export async function findConcerned(
  db: Db | Tx,
  tenantId: string,
  asked: { normalized: readonly string[]; ids: readonly string[] },
): Promise<PeopleConcerned> {
  const byAddress = new Map<string, PersonConcerned[]>();
  const byId = new Map<string, PersonConcerned>();
  const passed = new Map<string, PassedStructure[]>();
  if (asked.normalized.length === 0 && asked.ids.length === 0) return { byAddress, byId, passed };
  const rows = await concernedOf(db).execute({
    tenantId,
    normalized: JSON.stringify(asked.normalized),
    ids: JSON.stringify(asked.ids),
  });
  for (const row of rows) {
    const { normalized, partId, consentId, level, sinceMs, ownConsentId, ownLevel, ownSinceMs, ...person } = row;
    const consent = heldOf(consentId, level, sinceMs);
    const found = { ...person, consent, ownConsent: heldOf(ownConsentId, ownLevel, ownSinceMs) };
    if (normalized === null) byId.set(found.id, found);
    else if (partId !== null) passed.set(normalized, [...(passed.get(normalized) ?? []), { ...found, partId }]);
    else byAddress.set(normalized, [...(byAddress.get(normalized) ?? []), found]);
  }
  return { byAddress, byId, passed };
}
