/**
 * Asks a MariaDB: in a transaction that can only read, by statements that the server prepares, which is one at a time. As
 * in `postgresql.ts`, each question has a connection of its own.
 */
import { isIP } from 'node:net';
import { getCACertificates } from 'node:tls';
import { type Connection, createConnection, type FieldInfo, SqlError } from 'mariadb';
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
import { readColumns } from './mariadb-types.ts';

/** A whole question, all its portions together. */
const longestMs = 60_000;

/** The quotes that `sql-text.ts` knows, whatever the server is set to; times as they are in UTC. */
const sessionText = (seconds: number) => `set session
  sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00',
  max_statement_time = ${seconds}, lock_wait_timeout = ${Math.ceil(seconds)},
  innodb_lock_wait_timeout = ${Math.ceil(seconds)}`;

const reading = ['SELECT', 'USAGE', 'SHOW DATABASES', 'SHOW VIEW', 'PROCESS', 'EXECUTE', 'REFERENCES'];

/** Rights beyond reading; those of a role that the user may take are not looked at. */
const rightsText = `select distinct privilege_type from (
  select grantee, privilege_type from information_schema.user_privileges
  union all select grantee, privilege_type from information_schema.schema_privileges
  union all select grantee, privilege_type from information_schema.table_privileges) as granted
  where grantee = concat('''', replace(current_user(), '@', '''@'''), '''')`;

const logInRefused = [1044, 1045, 1049, 1698];
const noConnectionFree = [1040, 1203, 1226];
const tookTooLong = [1205, 1969, 3024];
const readOnly = 1792;

/** Errors that the connector makes itself have numbers from here on: the wire, or what came over it. */
const ownErrors = 45_000;

function faultOf(error: unknown, connection: SourceConnection): SourceFault {
  const ended = connection.ended();
  if (ended !== null) return sourceFault(ended);
  if (isTlsError(error) || isTlsError((error as Error)?.cause)) return sourceFault('tls_failed');
  if (!(error instanceof SqlError)) return sourceFault('unreachable');
  const { errno, sqlState, sqlMessage, code } = error;
  if (/SSL|TLS/.test(code ?? '')) return sourceFault('tls_failed');
  const told = { sqlState: sqlState ?? 'HY000' };
  if (logInRefused.includes(errno)) return sourceFault('login_refused', told);
  if (noConnectionFree.includes(errno)) return sourceFault('busy', told);
  if (tookTooLong.includes(errno)) return sourceFault('query_timeout', told);
  if (errno >= ownErrors || errno <= 0) return sourceFault('unreachable');
  if (errno === readOnly) return sourceFault('query_refused', { ...told, message: sqlMessage ?? '' });
  const [, line] = / at line (\d+)$/.exec(sqlMessage ?? '') ?? [];
  return databaseFault({ ...told, message: sqlMessage ?? '', line: line === undefined ? null : Number(line) });
}

/**
 * How the server proves who it is. All of it is said: the connector hands a socket on without its host, which would be
 * held to `localhost`; and without authorities it trusts any certificate of a server that knows the password.
 */
function trustIn(host: string, certificateAuthority: string | undefined) {
  return {
    minVersion: 'TLSv1.2' as const,
    host,
    // An address is no name of a server: it is only compared with the certificate.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ca: certificateAuthority ?? getCACertificates('default'),
    rejectUnauthorized: true,
  };
}

/** To an address that nobody checked. Its types do not know the option. */
const withoutRedirect = { permitRedirect: false };

async function readBatch(
  connection: Connection,
  question: SourceQuestion,
  keys: readonly string[],
  into: SourceRows,
): Promise<SourceFault | null> {
  const text = readSqlText(question.query, 'mariadb');
  if (text.kind === 'problem') return sourceFault('query_refused', { message: text.message, line: text.line });
  const values = keys.map((key) => (question.keyType === 'integer' ? BigInt(key) : key));
  // A list without members is no list here; null is equal to nothing.
  const list = keys.length === 0 ? 'null' : keys.map(() => '?').join(', ');
  const limit = portionLimit(question, keys, into);
  const places = text.pieces.length - 1;
  const [rows, columns] = await connection.execute<[unknown[][], FieldInfo[]]>(
    { sql: wrapped(text.pieces.join(list), limit), rowsAsArray: true, metaAsArray: true },
    Array.from({ length: places }, () => values).flat(),
  );
  const readers = readColumns(columns);
  return 'kind' in readers ? readers : addRows(into, readers, rows, question.maximumRows);
}

/** Makes the driver of one database. */
export function createMariadbDriver(
  settings: SqlSettings,
  secrets: SqlSecrets,
  environment: SourceEnvironment,
): SourceDriver {
  const { host, port = 3306, database, user, tls = 'required', certificateAuthority } = settings;
  const encrypted = tls === 'required';

  async function withConnection<Result>(work: (connection: Connection) => Promise<Result>) {
    const limits = { longestMs, bytesAtMost: answerBytesAtMost };
    const opened = await connectToSource({ host, port, encrypted }, environment, limits);
    if (opened.kind === 'fault') return opened;
    try {
      const connection = await createConnection({
        stream: (hand) => {
          hand(undefined, opened.socket);
          asUnconnected(opened.socket).connect(port);
        },
        host,
        port,
        database,
        user,
        password: secrets.password ?? '',
        ssl: encrypted && trustIn(host, certificateAuthority),
        ...withoutRedirect,
        connectTimeout: environment.timeoutMs,
        multipleStatements: false,
        permitLocalInfile: false,
        allowPublicKeyRetrieval: false,
        autoJsonMap: false,
        dateStrings: true,
        logParam: false,
      });
      // An error between two statements is told by the next one.
      connection.on('error', () => undefined);
      await connection.query(sessionText(environment.timeoutMs / 1_000));
      await connection.query('start transaction with consistent snapshot, read only');
      const result = await work(connection);
      await connection.query('rollback');
      await connection.end();
      return result;
    } catch (error) {
      return faultOf(error, opened);
    } finally {
      opened.close();
    }
  }

  return {
    ask: (question) =>
      withConnection((connection) =>
        askInPortions(question, (keys, into) => readBatch(connection, question, keys, into)),
      ),
    test: () =>
      withConnection(async (connection): Promise<SourceTest> => {
        const rows = await connection.query<{ privilege_type: string }[]>(rightsText);
        const further = rows.map((row) => row.privilege_type).filter((right) => !reading.includes(right));
        const warnings = further.length === 0 ? [] : [`the user has more rights than to read: ${further.join(', ')}`];
        return { kind: 'tested', canWrite: further.length > 0, warnings };
      }),
  };
}
