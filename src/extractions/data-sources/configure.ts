/** Data sources as people set them: held to their kind, their secrets sealed. Nothing is asked of them here. */
import type { TSchema } from 'typebox';
import type { Clock, NewId } from '../../clock.ts';
import type { Tx } from '../../db/client.ts';
import { AppError, invalidField } from '../../errors.ts';
import { holdToSchema } from '../../hold-to-schema.ts';
import type { Actor } from '../../tenants/rights.ts';
import { readableSecrets, type Secrets, sealSecrets } from '../../tenants/secrets.ts';
import { HttpSecrets, HttpSettings, SqlSecrets, SqlSettings } from './settings.ts';
import { countDataSources, createDataSource, type DataSourceRow, getDataSource, updateDataSource } from './store.ts';

type Deps = { clock: Clock; newId: NewId; secrets: Secrets };

/** A source as it is asked for. */
export interface NewSource {
  key: string;
  title: string;
  kind: DataSourceRow['kind'];
  settings: Record<string, unknown>;
  secrets?: Record<string, string>;
  statementTimeoutMs?: number;
  maximumRows?: number;
}

/** What people may change of a source. */
export type SourceChange = Partial<Omit<NewSource, 'key' | 'kind'>>;

const sourcesAtMost = 50;

const schemas: Record<DataSourceRow['kind'], { settings: TSchema; secrets: TSchema }> = {
  postgresql: { settings: SqlSettings, secrets: SqlSecrets },
  mariadb: { settings: SqlSettings, secrets: SqlSecrets },
  http: { settings: HttpSettings, secrets: HttpSecrets },
};

/** @throws AppError `unprocessable` naming what the kind does not accept. */
function checkKind(kind: DataSourceRow['kind'], settings: Record<string, unknown>, secrets: object): void {
  holdToSchema(schemas[kind].settings, settings, '/settings');
  holdToSchema(schemas[kind].secrets, secrets, '/secrets');
  if (kind !== 'http') return;
  const url = URL.parse(String(settings.url));
  if (url === null || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw invalidField('/settings/url', 'wrong_format', 'must be a URL without credentials, ? and #');
  }
}

/** @throws AppError `conflict`; `unprocessable` for settings that the kind does not accept, or one source too many. */
export async function addDataSource(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  source: NewSource,
): Promise<DataSourceRow> {
  const { secrets = {}, statementTimeoutMs = 5_000, maximumRows = 10_000, ...rest } = source;
  checkKind(source.kind, source.settings, secrets);
  if ((await countDataSources(tx, tenantId)) >= sourcesAtMost) {
    throw invalidField('/key', 'too_many', `an organisation has ${sourcesAtMost} data sources at most`);
  }
  const sealedSecrets = sealSecrets(deps.secrets, secrets);
  return createDataSource(deps, tx, tenantId, actor, { ...rest, sealedSecrets, statementTimeoutMs, maximumRows });
}

/** Where credentials go, and whether anybody on the way can read them. */
const wayOf = ({ host, port, tls, url, certificateAuthority }: Record<string, unknown>) =>
  JSON.stringify([host, port, tls, url, certificateAuthority]);

const givesSecrets = ({ secrets = {} }: SourceChange): boolean => Object.keys(secrets).length > 0;

/**
 * Whoever may change settings must not learn secrets by sending them elsewhere; where they cannot be read, some are given.
 * @throws AppError `unprocessable`.
 */
function checkSecretsGiven(before: DataSourceRow, change: SourceChange, kept: Record<string, string> | null): void {
  if (change.settings === undefined || wayOf(change.settings) === wayOf(before.settings)) return;
  const absent = Object.keys(kept ?? {}).filter((name) => change.secrets?.[name] === undefined);
  if (absent.length === 0 && (kept !== null || givesSecrets(change))) return;
  const names = absent.length === 0 ? '' : ` (${absent.join(', ')})`;
  throw invalidField('/secrets', 'required', `its secrets would go another way: give them again${names}`);
}

/**
 * Changes a source. Settings replace the whole of them; secrets are merged, and given again where they would go
 * another way. @throws AppError `not_found`, `precondition_failed`, `unprocessable`.
 */
export async function changeDataSource(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor; revision: number | null },
  change: SourceChange,
): Promise<DataSourceRow> {
  const before = await getDataSource(tx, target.tenantId, target.id);
  if (target.revision !== null && target.revision !== before.revision) throw new AppError('precondition_failed');
  const { secrets: given, ...fields } = change;
  const kept = readableSecrets(deps.secrets, before);
  checkSecretsGiven(before, change, kept);
  const secrets = { ...kept, ...given };
  checkKind(before.kind, change.settings ?? before.settings, secrets);
  // Only what is given is sealed: the key of secrets that cannot be read now may come back.
  const sealed = givesSecrets(change) ? { sealedSecrets: sealSecrets(deps.secrets, secrets) } : {};
  return updateDataSource(
    deps,
    tx,
    { ...target, revision: before.revision },
    { fields: { ...fields, ...sealed }, names: Object.keys(change) },
  );
}
