import type { Db, Tx } from '../db/client.ts';
import { AppError, invalidField } from '../errors.ts';
import type { FieldsShape } from '../merge-fields/shape.ts';
import type { SourceAsker } from './data-sources/ask.ts';
import { type SourceFault, sourceFaults } from './data-sources/driver.ts';
import { httpTarget } from './data-sources/http-path.ts';
import { readSqlText } from './data-sources/sql-text.ts';
import { type DataSourceRow, getDataSource } from './data-sources/store.ts';
import { dataOfKeys, faultOfKeyColumn, fieldsOf, type KeyData, sourceKey } from './rows.ts';
import type { ExtractionRow } from './store.ts';

/** What a run needs of an extraction, saved or not. */
export type Runnable = Pick<
  ExtractionRow,
  'tenantId' | 'key' | 'dataSourceId' | 'query' | 'keyColumn' | 'keyType' | 'listField' | 'fields'
>;

/** What a run found. */
export interface Extracted {
  /** Of every key that was asked for. */
  data: Map<string, KeyData>;
  /** As the result has them; what people said of them before stays. Those that were there, where it tells none. */
  fields: FieldsShape | null;
}

/** A fault of a source as an answer: 503 where it may pass, else 422. */
function refusalOf(key: string, { code, message, sqlState, line }: SourceFault): AppError {
  const where = [sqlState === null ? '' : `SQLSTATE ${sqlState}`, line === null ? '' : `line ${line}`].filter(Boolean);
  const detail = `${key}: ${message}${where.length === 0 ? '' : ` (${where.join(', ')})`}`;
  return new AppError(sourceFaults[code].passing ? 'source_unavailable' : 'extraction_failed', {
    detail,
    items: [{ pointer: '', code, message: detail }],
  });
}

/** Holds a query to what its source takes. @throws AppError `unprocessable`. */
export function checkQuery(source: Pick<DataSourceRow, 'kind' | 'settings'>, query: string): void {
  if (source.kind === 'http') {
    const target = httpTarget(String(source.settings.url), query, []);
    if (target.kind === 'problem') throw invalidField('/query', 'query_invalid', target.message);
    return;
  }
  const text = readSqlText(query, source.kind);
  if (text.kind === 'problem') throw invalidField('/query', 'query_invalid', `line ${text.line}: ${text.message}`);
}

/**
 * Asks the source of an extraction about keys. No transaction is held meanwhile.
 * @throws AppError `extraction_failed`, `source_unavailable`.
 */
export async function runExtraction(
  deps: { db: Db | Tx; sources: SourceAsker },
  extraction: Runnable,
  keys: readonly string[],
): Promise<Extracted> {
  const { query, keyType } = extraction;
  const source = await getDataSource(deps.db, extraction.tenantId, extraction.dataSourceId);
  const asked = new Set(keys.map((key) => sourceKey(key, keyType)).filter((key) => key !== null));
  const answer = await deps.sources.ask(source, { query, keyType, keys: [...asked] });
  if (answer.kind === 'fault') throw refusalOf(extraction.key, answer);
  // Without rows nothing tells which members an HTTP service would give.
  const told = source.kind !== 'http' || answer.rows.length > 0;
  const fault = told ? faultOfKeyColumn(extraction, answer.columns) : null;
  if (fault !== null) throw refusalOf(extraction.key, fault);
  return {
    data: await dataOfKeys(extraction, keys, answer),
    fields: told ? fieldsOf(extraction, answer.columns, extraction.fields) : extraction.fields,
  };
}

/**
 * The fields that an extraction gives, as its database tells without reading anything; null where only rows could tell
 * (HTTP). @throws AppError `extraction_failed`, `source_unavailable`.
 */
export async function describeExtraction(
  deps: { db: Db | Tx; sources: SourceAsker },
  extraction: Runnable,
): Promise<FieldsShape | null> {
  const source = await getDataSource(deps.db, extraction.tenantId, extraction.dataSourceId);
  return source.kind === 'http' ? null : (await runExtraction(deps, extraction, [])).fields;
}
