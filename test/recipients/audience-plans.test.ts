/** Searches of an audience read recipients by an index: also where an organisation is most of the table. */
import postgres from 'postgres';
import t from 'tap';
import { askedOn, makePeople, typicalFilters } from '../../bench/people.ts';
import { plannedReads } from '../../bench/plans.ts';
import type { AudienceFilter } from '../../src/recipients/audience/schema.ts';
import { audienceCount, audiencePage } from '../../src/recipients/audience/search.ts';
import { startService } from '../support/service.ts';

t.setTimeout(600_000);

/** Beside those of campaigns, what each kind of condition is asked by. */
const others: Readonly<Record<string, [filter: AudienceFilter, index: RegExp]>> = {
  'one value': [{ attribute: { name: 'agence', is: ['Agence 3'] } }, /^recipients_attributes$/],
  'a value inside': [{ attribute: { name: 'adresse.ville', is: ['Ville 3', 'Ville 4'] } }, /^recipients_attributes$/],
  'a choice': [{ attribute: { name: 'contrats', contains: ['chasse'] } }, /^recipients_attributes$/],
  'a type': [{ type: ['partner'] }, /^recipients_(type|external_id)$/],
  'a type and a range': [
    { type: ['partner'], attribute: { name: 'solde', from: 10 } },
    /^recipients_(type|external_id)$/,
  ],
  'a household': [{ inHouseholdOf: 'external:client:P-20' }, /^recipients_household$/],
  'those who answered': [
    { respondedTo: { type: 'enquete', ref: 'satisfaction-2026' }, type: ['partner'] },
    /^recipients_(type|external_id)$/,
  ],
};

t.test('no typical filter reads all recipients, neither to count nor for a first page', async (t) => {
  const { runtime, databaseUrl, tenant, addTenant } = await startService(t);
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  t.teardown(() => sql.end());
  const other = await addTenant('Mutuelle Armor');
  await makePeople(sql, tenant.id, 1, 30_000);
  await makePeople(sql, other.id, 100_001, 10_000);
  await sql`vacuum analyze recipients, recipient_addresses, responses`;
  const readsOf = async (filter: AudienceFilter) => {
    const today = { at: askedOn, timezone: 'Europe/Paris' };
    const page = audiencePage(tenant.id, filter, today, { limit: 51, before: null });
    return {
      count: await plannedReads(runtime.db, audienceCount(tenant.id, filter, today)),
      page: await plannedReads(runtime.db, page),
    };
  };
  for (const [name, filter] of Object.entries(typicalFilters)) {
    for (const [what, reads] of Object.entries(await readsOf(filter))) {
      t.notOk(reads.includes('all of recipients'), `${name}, ${what}: ${reads}`);
      t.ok(
        reads.some((index) => index.startsWith('recipients_')),
        `${name}, ${what}: ${reads}`,
      );
    }
  }
  for (const [name, [filter, index]] of Object.entries(others)) {
    const { count, page } = await readsOf(filter);
    t.ok(
      count.some((one) => index.test(one)),
      `${name}: ${count}`,
    );
    t.notOk([...count, ...page].includes('all of recipients'), `${name}: ${count}; ${page}`);
  }
  // What the test would say if an index were not used.
  await sql`drop index recipients_attributes`;
  const { count } = await readsOf({ attribute: { name: 'agence', is: ['Agence 3'] } });
  t.ok(count.includes('all of recipients'), `without its index: ${count}`);
});
