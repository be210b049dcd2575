import type { Db } from '../db/client.ts';
import { invalidField } from '../errors.ts';
import type { SourceAsker } from '../extractions/data-sources/ask.ts';
import type { KeyData } from '../extractions/rows.ts';
import { type Extracted, runExtraction } from '../extractions/run.ts';
import { type ExtractionRow, findExtraction } from '../extractions/store.ts';
import { LONGEST_DATA } from '../templates/rendering/renderer.ts';
import type { Caller } from '../tenants/rights.ts';
import { type Plan, type PlannedTemplate, sizeOf } from './plan.ts';
import type { Fault, RowBody } from './row-parts.ts';
import type { SendRequestBody } from './schema.ts';

/** What extractions give the rows of a request. */
export interface RowExtracts {
  of(planned: PlannedTemplate, row: RowBody): { data: Record<string, unknown>; fault: Fault | null };
}

/** Of a row without a key, or a template without an extraction. */
const nothing = { data: {}, fault: null };
const noExtracts: RowExtracts = { of: () => nothing };

/** Most characters of JSON that extractions may add to all messages of a request together. */
const maximumExtracted = 128_000_000;

const faults = {
  missing: { code: 'extraction_missing', message: 'the extraction has nothing for this key' },
  ambiguous: { code: 'extraction_ambiguous', message: 'the extraction has several rows for this key' },
} as const;

function extractOf(found: KeyData | undefined): ReturnType<RowExtracts['of']> {
  if (found?.kind === 'data') return { data: found.data, fault: null };
  return { data: {}, fault: { pointer: '/key', ...faults[found?.kind ?? 'missing'] } };
}

/** The extraction that the request names, for all its templates; null: it names none. */
async function namedExtraction(db: Db, caller: Caller, { extraction: named }: SendRequestBody) {
  if (named === undefined) return null;
  const found = await findExtraction(db, caller.tenantId, named);
  if (found === null) throw invalidField('/extraction', 'extraction_unknown', `there is no extraction ${named}`);
  return found;
}

/** What is extracted is kept with each message, as what callers give is. @throws AppError `unprocessable`. */
function checkVolume(body: SendRequestBody, plan: Plan, extracts: RowExtracts): void {
  const sizes = new Map<object, number>();
  const shared = sizeOf(body.data);
  let total = 0;
  for (const [index, row] of body.recipients.entries()) {
    if (row.key === undefined) continue;
    const own = shared + sizeOf(row.data);
    for (const round of plan.rounds) {
      const { data } = extracts.of(round(index), row);
      const size = sizes.get(data) ?? sizeOf(data);
      sizes.set(data, size);
      total += size;
      if (size + own > LONGEST_DATA) {
        const message = `with what the extraction gives, the data of this row has ${size + own} characters, more than ${LONGEST_DATA}`;
        throw invalidField(`/recipients/${index}/key`, 'too_large', message);
      }
    }
  }
  if (total <= maximumExtracted) return;
  const message = `extractions give all messages ${total} characters together, more than ${maximumExtracted}`;
  throw invalidField('/recipients', 'too_large', `${message}: send fewer rows at once`);
}

/** The keys that each extraction is asked about: those of the rows that its templates serve. */
function keysByExtraction(
  { recipients }: SendRequestBody,
  { rounds }: Plan,
  idOf: (planned: PlannedTemplate) => string | null,
): Map<string, Set<string>> {
  const keysOf = new Map<string, Set<string>>();
  for (const [index, { key }] of recipients.entries()) {
    if (key === undefined) continue;
    for (const round of rounds) {
      const id = idOf(round(index));
      if (id === null) continue;
      const keys = keysOf.get(id) ?? new Set();
      keysOf.set(id, keys.add(key));
    }
  }
  return keysOf;
}

/**
 * Asks the extractions of a request about the keys of all its rows, before any transaction. A request without keys asks
 * nothing and reads nothing.
 * @throws AppError `unprocessable` for an unknown extraction, a key without one, too much data; `forbidden`;
 * `extraction_failed`; `source_unavailable`.
 */
export async function extractForRows(
  deps: { db: Db; sources: SourceAsker },
  caller: Caller,
  plan: Plan,
  body: SendRequestBody,
): Promise<RowExtracts> {
  const named = await namedExtraction(deps.db, caller, body);
  const first = body.recipients.findIndex(({ key }) => key !== undefined);
  if (first === -1) return noExtracts;
  const idOf = ({ template }: PlannedTemplate) => named?.id ?? template.extractionId;
  const keysOf = keysByExtraction(body, plan, idOf);
  if (keysOf.size === 0) {
    const message = 'neither the request nor its template names an extraction';
    throw invalidField(`/recipients/${first}/key`, 'extraction_choice', message);
  }
  const found = new Map<string, Extracted>();
  for (const [id, keys] of keysOf) {
    const extraction: ExtractionRow | null = named ?? (await findExtraction(deps.db, caller.tenantId, id));
    if (extraction === null) throw invalidField('/extraction', 'extraction_unknown', 'the extraction was deleted');
    found.set(id, await runExtraction(deps, extraction, [...keys]));
  }
  const extracts: RowExtracts = {
    of(planned, { key }) {
      const extracted = found.get(idOf(planned) ?? '');
      return key === undefined || extracted === undefined ? nothing : extractOf(extracted.data.get(key));
    },
  };
  checkVolume(body, plan, extracts);
  return extracts;
}
