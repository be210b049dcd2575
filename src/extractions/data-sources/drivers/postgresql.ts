/**
 * Asks a PostgreSQL: in a transaction that can only read, over the extended protocol, which takes one statement. Each
 * question has a connection of its own, because what a query sets in its session must not last.
 */
import { Client, DatabaseError } from 'pg';
import { asUnconnected, connectToSource, isTlsError, type SourceConnection } from '../connection.ts';
import {
  answerBytesAtMost,
  type SourceDriver,
  type SourceEnvironment,
  type SourceFault,
  type SourceQuestion,
  type SourceRows,
  type SourceTest,
  sourceFault,
} from '../driver.ts';
import { addRows, askInPortions, databaseFault, portionLimit } from '../result.ts';
import type { SqlSecrets, SqlSettings } from '../settings.ts';
import { readSqlText, wrapped } from '../sql-text.ts';
import { readColumns } from './postgresql-types.ts';

/** A whole question, all its portions together. */
const longestMs = 60_000;

/** Values as the server writes them: `postgresql-types.ts` reads them. */
const asText = { getTypeParser: () => (text: string | Buffer) => String(text) };

const beginText = `begin transaction isolation level repeatable read read only;
  set local datestyle = 'ISO'; set local timezone = 'UTC'; set local intervalstyle = 'iso_8601';
  set local standard_conforming_strings = on; set local extra_float_digits = 1;
  set local idle_in_transaction_session_timeout = 10000`;

/** Own tables that the role could change, or the right to make some; nothing of any row. */
const rightsText = `select
  (select rolsuper from pg_roles where rolname = current_user) as superuser,
  exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_t'
      and has_schema_privilege(n.oid, 'usage')
      and has_table_privilege(c.oid, 'insert, update, delete, truncate')) as writes,
  exists (select 1 from pg_namespace n where n.nspname !~ '^pg_' and has_schema_privilege(n.oid, 'create')) as creates,
  exists (select 1 from pg_roles r where r.rolname in ('pg_read_server_files', 'pg_write_server_files',
    'pg_execute_server_program') and pg_has_role(r.oid, 'usage')) as files`;

function faultOf(error: unknown, connection: SourceConnection): SourceFault {
  const ended = connection.ended();
  if (ended !== null) return sourceFault(ended);
  const { code, message = '', position, asked } = error as Partial<DatabaseError> & { asked?: string };
  if (error instanceof DatabaseError) {
    const before = position === undefined || asked === undefined ? null : asked.slice(0, Number(position) - 1);
    return databaseFault({ sqlState: code ?? '', message, line: before?.split('\n').length ?? null });
  }
  if (isTlsError(error) || /SSL connection/.test(message)) return sourceFault('tls_failed');
  return sourceFault(/^SASL/.test(message) ? 'login_refused' : 'unreachable');
}

/** Puts the keys of a portion in the place of the one parameter, as a list of their type. */
async function readBatch(
  client: Client,
  { timeoutMs }: SourceEnvironment,
  question: SourceQuestion,
  keys: readonly string[],
  into: SourceRows,
): Promise<SourceFault | null> {
  const text = readSqlText(question.query, 'postgresql');
  if (text.kind === 'problem') return sourceFault('query_refused', { message: text.message, line: text.line });
  const list = question.keyType === 'integer' ? '$1::bigint[]' : '$1::text[]';
  const limit = portionLimit(question, keys, into);
  // Set again each time: what the portion before has set would hold for this one.
  await client.query(`set local statement_timeout = ${timeoutMs}; set local lock_timeout = ${timeoutMs}`);
  const asked = wrapped(text.pieces.join(list), limit);
  const answer = client.query<(string | null)[]>({ text: asked, values: [keys], rowMode: 'array', types: asText });
  const { rows, fields } = await answer.catch((error) => {
    throw Object.assign(error as Error, { asked });
  });
  const readers = readColumns(fields);
  return 'kind' in readers ? readers : addRows(into, readers, rows, question.maximumRows);
}

/** Makes the driver of one database. */
export function createPostgresqlDriver(
  settings: SqlSettings,
  secrets: SqlSecrets,
  environment: SourceEnvironment,
): SourceDriver {
  const { host, port = 5432, database, user, tls = 'required', certificateAuthority } = settings;
  const encrypted = tls === 'required';

  async function withClient<Result>(work: (client: Client) => Promise<Result>): Promise<Result | SourceFault> {
    const limits = { longestMs, bytesAtMost: answerBytesAtMost };
    const connection = await connectToSource({ host, port, encrypted }, environment, limits);
    if (connection.kind === 'fault') return connection;
    const client = new Client({
      stream: () => asUnconnected(connection.socket),
      host,
      port,
      database,
      user,
      // A function: an empty one would be looked for in the environment and in files of this process.
      password: () => secrets.password ?? '',
      ssl: encrypted && { minVersion: 'TLSv1.2', ...(certificateAuthority && { ca: certificateAuthority }) },
      application_name: 'notifications',
      connectionTimeoutMillis: environment.timeoutMs,
    });
    // An error between two statements is told by the next one.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query(beginText);
      const result = await work(client);
      await client.query('rollback');
      await client.end();
      return result;
    } catch (error) {
      return faultOf(error, connection);
    } finally {
      connection.close();
    }
  }

  return {
    ask: (question) =>
      withClient((client) =>
        askInPortions(question, (keys, into) => readBatch(client, environment, question, keys, into)),
      ),
    test: () =>
      withClient(async (client): Promise<SourceTest> => {
        await client.query(`set local statement_timeout = ${environment.timeoutMs}`);
        const { rows } = await client.query<Record<'superuser' | 'writes' | 'creates' | 'files', boolean>>(rightsText);
        const { superuser = false, writes = false, creates = false, files = false } = rows[0] ?? {};
        const warnings = [
          ...(superuser ? ['the user is a superuser: it can read files of the server'] : []),
          ...(writes ? ['the user can change tables'] : []),
          ...(creates ? ['the user can create tables'] : []),
          ...(files && !superuser ? ['the user can read or write files, or start programs, of the server'] : []),
        ];
        return { kind: 'tested', canWrite: superuser || writes || creates, warnings };
      }),
  };
}
