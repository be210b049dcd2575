import type postgres from 'postgres';
import type { AudienceFilter } from '../../src/recipients/audience/schema.ts';
import { audienceCount, audiencePage, countAudience, searchAudience } from '../../src/recipients/audience/search.ts';
import { check, inTurns, type Result, type Run } from '../measure.ts';
import { askedOn, makePeople, towns, typicalFilters } from '../people.ts';
import { plannedReads } from '../plans.ts';
import { type Organisation, type Stage, setStage } from '../stage.ts';

const pageOf = 50;

const inTowns = towns.map((town) => `attributes @> '${JSON.stringify({ adresse: { ville: town } })}'`).join(' or ');

/** What somebody would write by hand for each of the filters, knowing the tables, the day and the time zone. */
function byHand(sql: postgres.Sql): Record<string, postgres.Fragment> {
  return {
    'agencies of clients': sql`type = 'client' and (attributes @> '{"agence":"Agence 7"}' or attributes @> '{"agence":"Agence 8"}')`,
    'a multiple choice': sql`(attributes @> '{"contrats":["chasse"]}' or attributes @> '{"contrats":["bateau"]}')`,
    'due within a month': sql`type = 'entrepreneur' and attributes->>'echeance' between '2026-11-23' and '2026-12-23'`,
    'dates and an amount': sql`type = 'partner' and attributes->>'echeance' between '2026-09-01' and '2026-12-31'
      and (attributes->>'solde')::numeric >= 5000`,
    'by mobile, not answered': sql`type = 'entrepreneur'
      and exists (select 1 from recipient_addresses as address where address.tenant_id = recipients.tenant_id
        and address.recipient_id = recipients.id and address.kind = 'mobile' and address.accepts_contact)
      and not exists (select 1 from responses where responses.tenant_id = recipients.tenant_id
        and responses.recipient_id = recipients.id and context_type = 'enquete' and context_ref = 'satisfaction-2026')`,
    'towns or adviser': sql`(${sql.unsafe(inTowns)} or attributes @> '{"conseiller":"Conseiller 9"}')
      and not attributes @> '{"statut":"S4"}'`,
  };
}

interface Sides {
  stage: Stage;
  organisation: Organisation;
}

async function measureFilter(
  run: Run,
  { stage, organisation }: Sides,
  name: string,
  filter: AudienceFilter,
): Promise<Result[]> {
  const { sql } = stage;
  const deps = { db: stage.runtime.db, clock: { ...stage.runtime.clock, now: () => askedOn } };
  const where = sql`tenant_id = ${organisation.id} and ${byHand(sql)[name] ?? sql`false`}`;
  const asked = { tenantId: organisation.id, timezone: 'Europe/Paris' };
  const count = () => countAudience(deps, asked, filter);
  const page = () => searchAudience(deps, asked, filter, { limit: pageOf, before: null });
  const countByHand = () => sql<{ count: number }[]>`select count(*)::int as count from recipients where ${where}`;
  const pageByHand = () => sql<{ id: string }[]>`
    select page.*, (select json_agg(address order by position) from recipient_addresses as address
      where address.tenant_id = page.tenant_id and address.recipient_id = page.id) as addresses
    from (select * from recipients where ${where} order by id desc limit ${pageOf}) as page order by id desc`;
  const expected = (await countByHand())[0]?.count ?? 0;
  check(`recipients of "${name}"`, await count(), expected);
  const [ours, theirs] = [await page(), await pageByHand()].map((rows) => rows.map(({ id }) => id).join());
  check(`first pages of "${name}" that differ`, ours === theirs ? 0 : 1, 0);
  if (expected === 0) throw new Error(`nobody is meant by "${name}"`);
  const today = { at: askedOn, timezone: asked.timezone };
  const counting = await plannedReads(deps.db, audienceCount(organisation.id, filter, today));
  const paging = await plannedReads(
    deps.db,
    audiencePage(organisation.id, filter, today, { limit: pageOf, before: null }),
  );
  run.tell(`audience, ${name}: ${expected}; count by ${counting.join(', ')}; page by ${paging.join(', ')}`);
  const named = (what: string) => `audience, ${name}, ${what}`;
  return [
    await inTurns(run, named('count'), 'questions/s', count, countByHand),
    await inTurns(run, named('page'), 'questions/s', page, pageByHand),
  ];
}

/** Counts and first pages of typical filters over a million recipients, against SQL written by hand for each. */
export async function audience(run: Run): Promise<Result[]> {
  const stage = await setStage();
  try {
    const organisation = await stage.addOrganisation('Courtage');
    await makePeople(
      stage.sql,
      organisation.id,
      1,
      Number(process.env.BENCH_PEOPLE ?? (run.quick ? 5_000 : 1_000_000)),
    );
    await stage.settleDown();
    const results: Result[] = [];
    for (const [name, filter] of Object.entries(typicalFilters)) {
      results.push(...(await measureFilter(run, { stage, organisation }, name, filter)));
    }
    return results;
  } finally {
    await stage.close();
  }
}
