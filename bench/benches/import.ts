import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type postgres from 'postgres';
import type { Program } from '../children.ts';
import { check, inPairs, type Result, type Run, secondsOf } from '../measure.ts';
import { type Organisation, type Stage, setStage } from '../stage.ts';

const header = 'type;externalId;displayName;locale;attributes.agence;attributes.titre;attributes.contrat;mail;mobile';
const rowsPerPiece = 1_000;

/** A person of the table; every other has a mobile. */
function line(number: number): string {
  const mobile = number % 2 === 0 ? `+336${String(10_000_000 + (number % 80_000_000))}` : '';
  return `client;C-${number};Hélène Lefèvre ${number};fr-FR;Agence ${number % 50};Madame;CT-${number};p${number}@courriel.example;${mobile}\n`;
}

/** The table as it comes over the wire, made while it is sent. */
function* table(count: number): Generator<Buffer> {
  yield Buffer.from(`${header}\n`);
  for (let from = 0; from < count; from += rowsPerPiece) {
    let text = '';
    for (let number = from; number < Math.min(count, from + rowsPerPiece); number += 1) text += line(number);
    yield Buffer.from(text);
  }
}

/** Over HTTP, from the first byte to the end of the operation. */
async function throughApi(stage: Stage, url: string, organisation: Organisation, count: number): Promise<void> {
  const answer = await fetch(`${url}/v1/recipients/import`, {
    method: 'POST',
    headers: { authorization: `Bearer ${organisation.key}`, 'content-type': 'text/csv' },
    body: Readable.toWeb(Readable.from(table(count), { objectMode: false })) as ReadableStream,
    duplex: 'half',
  } as RequestInit);
  check('status of the answer', answer.status, 202);
  const { operation } = (await answer.json()) as { operation: string };
  for (;;) {
    const { status, import: done } = await stage.call(organisation.key, 'GET', `/v1/operations/${operation}`);
    if (status === 'done') return check('rows that made a recipient', done.created, count);
    if (status === 'failed') throw new Error('the import failed');
    await wait(50);
  }
}

/** What PostgreSQL does at least: the same rows by COPY, and from there into the same tables with the same indexes. */
async function throughCopy(sql: postgres.Sql, tenantId: string, count: number): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`create temporary table staging (type text, external_id text, display_name text, locale text, agence text,
      titre text, contrat text, mail text, mobile text) on commit drop`;
    const copy = await tx`copy staging from stdin with (format csv, delimiter ';', header true)`.writable();
    await pipeline(Readable.from(table(count), { objectMode: false }), copy);
    await tx`insert into recipients (tenant_id, id, type, external_id, display_name, locale, attributes, revision, created_at, updated_at)
      select ${tenantId}::uuid, uuidv7(), type, external_id, display_name, locale,
        jsonb_build_object('agence', agence, 'titre', titre, 'contrat', contrat), 1, now(), now() from staging
      on conflict (tenant_id, type, external_id) do update set display_name = excluded.display_name,
        locale = excluded.locale, attributes = excluded.attributes, updated_at = excluded.updated_at`;
    await tx`insert into recipient_addresses (tenant_id, recipient_id, position, kind, value, normalized, preferred, accepts_contact)
      select ${tenantId}::uuid, recipients.id, given.position, given.kind, given.value, lower(given.value), false, true
      from staging
      join recipients on recipients.tenant_id = ${tenantId}::uuid and recipients.type = staging.type
        and recipients.external_id = staging.external_id
      cross join lateral (values (0, 'mail', staging.mail), (1, 'mobile', staging.mobile)) as given(position, kind, value)
      where given.value is not null
      on conflict (tenant_id, recipient_id, position) do update set value = excluded.value`;
  });
}

async function checkRows(stage: Stage, tenantId: string, count: number): Promise<void> {
  const [found] = await stage.sql<{ recipients: number; addresses: number }[]>`
    select (select count(*)::int from recipients where tenant_id = ${tenantId}) as recipients,
      (select count(*)::int from recipient_addresses where tenant_id = ${tenantId}) as addresses`;
  check('recipients', found?.recipients ?? 0, count);
  check('addresses', found?.addresses ?? 0, count + Math.ceil(count / 2));
}

/** A million recipients from CSV over HTTP, against COPY into a staging table and INSERT from there. */
export async function importing(run: Run): Promise<Result[]> {
  const stage = await setStage();
  const count = Number(process.env.BENCH_COUNT ?? (run.quick ? 3_000 : 1_000_000));
  try {
    const server = await stage.startServer();
    const profile = process.env.BENCH_PROFILE;
    const programs: Program[] = [server, await stage.startWorker(profile === undefined ? {} : { profile })];
    // Code that is loaded and compiled at the first use is no growth.
    await throughApi(stage, server.url, await stage.addOrganisation('Échauffement'), 5_000);
    const before = programs.map((program) => program.memory());
    const growth: number[] = [];
    let turns = 0;
    const measured = async (through: (organisation: Organisation) => Promise<void>) => {
      turns += 1;
      const organisation = await stage.addOrganisation(`Mutuelle ${turns}`);
      await stage.settleDown();
      const seconds = await secondsOf(() => through(organisation));
      await checkRows(stage, organisation.id, count);
      return count / seconds;
    };
    const result = await inPairs(
      run,
      'import',
      'recipients/s',
      () => measured((organisation) => throughApi(stage, server.url, organisation, count)),
      () => measured((organisation) => throughCopy(stage.sql, organisation.id, count)),
      run.quick ? 1 : 3,
    );
    for (const [place, program] of programs.entries()) {
      growth.push(Math.max(0, program.peakMemory() - (before[place] ?? 0)));
      run.tell(
        `import, memory of process ${place + 1}: ${((before[place] ?? 0) / 1e6).toFixed(0)} MB and ${((growth[place] ?? 0) / 1e6).toFixed(0)} more`,
      );
    }
    const most = growth.reduce((sum, bytes) => sum + bytes, 0) / 1e6;
    return [result, { name: 'import, memory', ours: most, against: null, ratio: null, unit: 'MB' }];
  } finally {
    await stage.close();
  }
}
