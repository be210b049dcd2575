/** Many recipients for benches and tests of searches: made in SQL, the same ones each time. */
import type postgres from 'postgres';
import type { AudienceFilter } from '../src/recipients/audience/schema.ts';

/** The day on which `typicalFilters` are asked. */
export const askedOn = new Date('2026-11-23T09:00:00Z');

/**
 * Makes recipients of five types, with attributes, mail, mobile and postal addresses, and answers of some of them.
 * Numbers of people follow from theirs: those of two organisations do not collide when `from` differs.
 */
export async function makePeople(sql: postgres.Sql, tenantId: string, from: number, count: number): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`insert into recipients (tenant_id, id, type, external_id, display_name, locale, attributes, household_of, created_at, updated_at)
      select ${tenantId}, ('019c0000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
        (array['client', 'client', 'client', 'client', 'client', 'member', 'member', 'member', 'member', 'member',
          'dependant', 'dependant', 'dependant', 'dependant', 'dependant', 'entrepreneur', 'entrepreneur', 'entrepreneur',
          'entrepreneur', 'partner'])[1 + n % 20],
        'P-' || n, 'Jeanne Lefèvre ' || n, case n % 10 when 0 then 'en-GB' when 1 then null else 'fr-FR' end,
        jsonb_build_object('titre', case n % 2 when 0 then 'Madame' else 'Monsieur' end, 'agence', 'Agence ' || h % 200,
          'contrats', case when h % 60 = 0 then '["auto", "chasse"]'::jsonb
            when h % 3 = 0 then '["auto", "habitation"]'::jsonb else '["santé"]'::jsonb end,
          'echeance', (date '2026-01-01' + h % 727)::text, 'solde', ((n::bigint * 7919) % 1000000) / 100.0,
          'adresse', jsonb_build_object('ville', 'Ville ' || h % 5000, 'insee', lpad((n % 36000)::text, 5, '0')),
          'statut', 'S' || n % 5, 'conseiller', 'Conseiller ' || h % 1499),
        null, timestamptz '2020-01-01' + (n % 2400) * interval '1 day', timestamptz '2026-01-01'
      from generate_series(${from}::int, ${from + count - 1}::int) as n
      cross join lateral (select abs(hashint8(n) % 2000000000) as h)`;
    await tx`insert into recipient_addresses (tenant_id, recipient_id, position, kind, value, normalized, role, preferred, accepts_contact)
      select ${tenantId}, id, 0, 'mail', 'p' || external_id || '@people.test', lower('p' || external_id || '@people.test'), 'personal', true, true
      from recipients where tenant_id = ${tenantId}`;
    await tx`insert into recipient_addresses (tenant_id, recipient_id, position, kind, value, normalized, role, preferred, accepts_contact)
      select ${tenantId}, id, 1, 'mobile', number, number, null, false, substr(external_id, 3)::int % 3 > 0
      from recipients cross join lateral (select '+336' || lpad(substr(external_id, 3), 8, '0') as number)
      where tenant_id = ${tenantId} and substr(external_id, 3)::int % 4 > 0`;
    await tx`insert into responses (tenant_id, recipient_id, id, context_type, context_ref, answered_at, created_at, updated_at)
      select ${tenantId}, id, gen_random_uuid(), 'enquete', 'satisfaction-2026', now(), now(), now()
      from recipients where tenant_id = ${tenantId} and substr(external_id, 3)::int % 30 = 15`;
  });
}

/** Of one of the filters. */
export const towns: readonly string[] = Array.from({ length: 20 }, (_, index) => `Ville ${index * 7}`);

/** What campaigns ask for (dates from and to, relative dates, multiple choices), with what each is called. */
export const typicalFilters: Readonly<Record<string, AudienceFilter>> = {
  'agencies of clients': { type: ['client'], attribute: { name: 'agence', is: ['Agence 7', 'Agence 8'] } },
  'a multiple choice': { attribute: { name: 'contrats', contains: ['chasse', 'bateau'] } },
  'due within a month': { type: ['entrepreneur'], attribute: { name: 'echeance', fromDays: 0, toDays: 30 } },
  'dates and an amount': {
    type: ['partner'],
    all: [
      { attribute: { name: 'echeance', from: '2026-09-01', to: '2026-12-31' } },
      { attribute: { name: 'solde', from: 5000 } },
    ],
  },
  'by mobile, not answered': {
    type: ['entrepreneur'],
    hasAddress: { kind: 'mobile', acceptsContact: true },
    not: { respondedTo: { type: 'enquete', ref: 'satisfaction-2026' } },
  },
  'towns or adviser': {
    any: [
      { attribute: { name: 'adresse.ville', is: [...towns] } },
      { attribute: { name: 'conseiller', is: ['Conseiller 9'] } },
    ],
    not: { attribute: { name: 'statut', is: ['S4'] } },
  },
};
