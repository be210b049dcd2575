import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { createEmptyDatabase } from './postgres.ts';
import type { TestService } from './service.ts';
import { must } from './templates.ts';

/** A database of another application, with a role that can only read it. */
export interface SourceDatabase {
  /** As its owner. */
  own: postgres.Sql;
  /** As the role that only reads, without any of the service's guards. */
  read: postgres.Sql;
  settings: { host: string; port: number; database: string; user: string; tls: 'none' };
  password: string;
}

/** A small database of beneficiaries, contracts and providers, as a mutual insurer has them. */
const tables = `
  create table benef (membre text not null, numero integer, nom_benef text, mail text, ne_le date, solde numeric(12, 2),
    plafond bigint, vu_le timestamptz, saisi_le timestamp, actif boolean, notes jsonb);
  insert into benef values
    ('B-1', 1, 'Lefèvre', 'b1@courriel.example', '1980-03-05', 98.70, 9007199254740993, '2026-01-02 10:00:00+01',
      '2026-01-02 10:00:00', true, '{"rang": 1, "solde": 12345678901234567890}'),
    ('B-2', 2, 'D’Hérouville', 'b2@courriel.example', null, 0.00, 12, null, null, false, null),
    ('B-3', 3, 'Müller', 'b3@courriel.example', '1990-12-31', 1234567890.12, 1, null, null, null, null),
    ('B-3', 3, 'Müller bis', 'b3bis@courriel.example', '1990-12-31', 1, 1, null, null, null, null);
  create table contrat (membre text, libelle text, montant numeric(10, 2), debut date);
  insert into contrat values ('B-1', 'Santé', 45.5, '2026-01-01'), ('B-1', 'Prévoyance', 12, '2025-01-01'),
    ('B-2', 'Santé', 45.5, '2026-02-01');
  create sequence compteur;
  create table piece (membre text, contenu bytea);
  insert into piece values ('B-1', '\\x00ff');`;

interface Teardown {
  teardown(fn: () => unknown): void;
}

/** Makes the database, on the server of the tests. */
export async function createSourceDatabase(t: Teardown): Promise<SourceDatabase> {
  const database = await createEmptyDatabase();
  const own = postgres(database.url, { max: 1, onnotice: () => {} });
  const user = `reader_${randomBytes(6).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  await own.unsafe(tables);
  await own.unsafe(`create role ${user} login password '${password}'; grant usage on schema public to ${user};
    grant select on all tables in schema public to ${user}`);
  const url = new URL(database.url);
  const settings = {
    host: url.hostname,
    port: Number(url.port),
    database: url.pathname.slice(1),
    user,
    tls: 'none' as const,
  };
  const read = postgres({ ...settings, username: user, password, max: 1, onnotice: () => {} });
  t.teardown(async () => {
    await read.end({ timeout: 5 });
    await own.unsafe(`drop owned by ${user}; drop role ${user}`);
    await own.end({ timeout: 5 });
    await database.drop();
  });
  return { own, read, settings, password };
}

/** Adds it as a data source. @returns the id. */
export async function addSource(
  { inject }: TestService,
  { settings, password }: Pick<SourceDatabase, 'settings' | 'password'>,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const body = {
    key: 'gestion',
    title: 'Base de gestion',
    kind: 'postgresql',
    settings,
    secrets: { password },
    ...changes,
  };
  return must(await inject('POST', '/v1/data-sources', { body }), 201).id;
}

/** The query that most tests ask. */
export const benefQuery = 'select membre as cle, nom_benef, mail from benef where membre = any(:keys)';

/** Adds an extraction. @returns its path. */
export async function addExtraction(
  { inject }: Pick<TestService, 'inject'>,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const body = {
    key: 'benef',
    title: 'Bénéficiaires',
    dataSource: 'gestion',
    query: benefQuery,
    keyColumn: 'cle',
    ...changes,
  };
  return `/v1/extractions/${must(await inject('POST', '/v1/extractions', { body }), 201).id}`;
}
