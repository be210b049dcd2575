/** Extractions as people change them: held to their source, and their fields read from it where nobody says them. */
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { AppError, invalidField } from '../errors.ts';
import { checkFieldsShape } from '../merge-fields/check-shape.ts';
import { isFieldName } from '../merge-fields/shape.ts';
import type { Actor } from '../tenants/rights.ts';
import type { SourceAsker } from './data-sources/ask.ts';
import { type DataSourceRow, findDataSource, getDataSource } from './data-sources/store.ts';
import { checkQuery, describeExtraction } from './run.ts';
import {
  countExtractions,
  createExtraction,
  type ExtractionFields,
  type ExtractionRow,
  getExtraction,
  updateExtraction,
} from './store.ts';

type Deps = { clock: Clock; newId: NewId };
type AskDeps = { db: Db; sources: SourceAsker };

/** An extraction as it is asked for; its source by key or id. */
export type NewExtraction = Pick<ExtractionRow, 'key' | 'title' | 'query' | 'keyColumn'> &
  Partial<Omit<ExtractionFields, 'dataSourceId'>> & { dataSource: string };

/** What people may change of one. */
export type ExtractionChange = Partial<Omit<ExtractionFields, 'dataSourceId'>> & { dataSource?: string };

/** Every check of a template reads all of them. */
const extractionsAtMost = 100;

/** What changes the fields that an extraction gives. */
const shaping = ['dataSource', 'query', 'keyColumn', 'keyType', 'listField'] as const;

const defaults = { description: null, keyType: 'string', listField: null, trigger: null, pages: [] } as const;

/** @throws AppError `unprocessable` naming the field. */
function check(source: DataSourceRow, extraction: ExtractionFields): void {
  checkQuery(source, extraction.query);
  for (const name of ['keyColumn', 'listField'] as const) {
    const value = extraction[name];
    if (value !== null && !isFieldName(value)) {
      throw invalidField(`/${name}`, 'wrong_format', 'must be the name of a merge field: letters, digits, _ and -');
    }
  }
  if (extraction.fields !== null) checkFieldsShape(extraction.fields, '/fields');
}

async function sourceOf(db: Db | Tx, tenantId: string, named: string, options: { hold?: boolean } = {}) {
  const source = await findDataSource(db, tenantId, named, options);
  if (source === null) throw invalidField('/dataSource', 'data_source_unknown', `there is no data source ${named}`);
  return source;
}

/**
 * Makes an extraction ready to be kept, outside of any transaction. Where the body says nothing of its fields, its
 * database tells them, without reading anything.
 * @throws AppError `unprocessable`, `extraction_failed`, `source_unavailable`.
 */
export async function prepareExtraction(
  deps: AskDeps,
  tenantId: string,
  asked: NewExtraction,
): Promise<ExtractionFields & { key: string }> {
  const { dataSource, ...rest } = asked;
  const source = await sourceOf(deps.db, tenantId, dataSource);
  const extraction = { ...defaults, pages: [], fields: null, ...rest, dataSourceId: source.id };
  check(source, extraction);
  if (asked.fields !== undefined) return extraction;
  const fields = await describeExtraction(deps, { ...extraction, tenantId });
  if (fields !== null) checkFieldsShape(fields, '/fields');
  return { ...extraction, fields };
}

/** Adds what `prepareExtraction` made. @throws AppError `conflict`; `unprocessable` for one too many. */
export async function addExtraction(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  extraction: ExtractionFields & { key: string },
): Promise<ExtractionRow> {
  await sourceOf(tx, tenantId, extraction.dataSourceId, { hold: true });
  if ((await countExtractions(tx, tenantId)) >= extractionsAtMost) {
    throw invalidField('/key', 'too_many', `an organisation has ${extractionsAtMost} extractions at most`);
  }
  return createExtraction(deps, tx, tenantId, actor, extraction);
}

/** A change that is ready to be kept, of the extraction as it was read. */
export interface PreparedChange {
  fields: Partial<ExtractionFields>;
  revision: number;
}

/**
 * Makes a change ready, outside of any transaction. Where it changes what the extraction gives and does not say which
 * fields, its database tells them; the fields of an HTTP source stay as they were said.
 * @throws AppError `not_found`, `precondition_failed`, `unprocessable`, `extraction_failed`, `source_unavailable`.
 */
export async function prepareChange(
  deps: AskDeps,
  target: { tenantId: string; id: string; revision: number | null },
  change: ExtractionChange,
): Promise<PreparedChange> {
  const before = await getExtraction(deps.db, target.tenantId, target.id);
  if (target.revision !== null && target.revision !== before.revision) throw new AppError('precondition_failed');
  const { dataSource, ...rest } = change;
  const source =
    dataSource === undefined
      ? await getDataSource(deps.db, target.tenantId, before.dataSourceId)
      : await sourceOf(deps.db, target.tenantId, dataSource);
  const fields = { ...rest, ...(dataSource === undefined ? {} : { dataSourceId: source.id }) };
  const after = { ...before, ...fields };
  check(source, after);
  const { revision } = before;
  if (change.fields !== undefined || !shaping.some((name) => change[name] !== undefined)) return { fields, revision };
  const found = await describeExtraction(deps, after);
  if (found !== null) checkFieldsShape(found, '/fields');
  return { fields: found === null ? fields : { ...fields, fields: found }, revision };
}

/** The change that keeps what a run has tried. @throws AppError `unprocessable` for fields that cannot be kept. */
export function changeOfRun(
  before: ExtractionRow,
  { query, fields }: Pick<ExtractionRow, 'query' | 'fields'>,
): PreparedChange {
  if (fields !== null) checkFieldsShape(fields, '/fields');
  return { fields: { query, fields }, revision: before.revision };
}

/** Keeps a prepared change. @throws AppError `not_found`; `precondition_failed` when it was changed meanwhile. */
export async function changeExtraction(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor },
  { fields, revision }: PreparedChange,
): Promise<ExtractionRow> {
  if (fields.dataSourceId !== undefined) await sourceOf(tx, target.tenantId, fields.dataSourceId, { hold: true });
  return updateExtraction(deps, tx, { ...target, revision }, fields);
}
