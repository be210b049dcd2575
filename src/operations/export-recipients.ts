import { and, asc, eq, gt, sql } from 'drizzle-orm';
import type { Tx } from '../db/client.ts';
import { operations } from '../db/tables/dispatch.ts';
import { recipientAddresses, recipients } from '../db/tables/people.ts';
import {
  type AddressColumns,
  asObject,
  flatten,
  headerOf,
  isAddressColumn,
  isAttributeColumn,
  type TableColumns,
} from '../recipients/import/flatten.ts';
import { withReferences } from '../recipients/import/related-references.ts';
import { type RecipientWithAddresses, withAddresses } from '../recipients/store.ts';
import { csvLine } from '../row-files/csv-text.ts';
import type { ExportRequest } from './schema.ts';
import { appendChunk, type OperationDeps, type OperationRow, recordStep } from './store.ts';

const rowsPerStep = 1_000;
/** More columns than people look through: what is rarer stands as JSON. */
const attributesAtMost = 200;
const addressesAtMost = 40;

function conditions(tenantId: string, request: ExportRequest) {
  const type = request.recipientFilter?.type;
  return and(eq(recipients.tenantId, tenantId), type === undefined ? undefined : eq(recipients.type, type));
}

/** How many recipients an export will have. */
export async function countRecipients(tx: Tx, tenantId: string, request: ExportRequest): Promise<number> {
  return tx.$count(recipients, conditions(tenantId, request));
}

/** The columns that most recipients need: every name of an attribute that is a text, every kind and role of address. */
async function findColumns(tx: Tx, tenantId: string, request: ExportRequest): Promise<TableColumns> {
  const where = conditions(tenantId, request);
  const names = await tx.execute<{ name: string }>(sql`
    select attribute.key as name from ${recipients} cross join lateral jsonb_each(${recipients.attributes}) as attribute
    where ${where} and jsonb_typeof(attribute.value) = 'string' and attribute.value <> '""'
    group by attribute.key order by count(*) desc, attribute.key limit ${attributesAtMost}`);
  const ways = await tx.execute<{
    kind: AddressColumns['kind'];
    role: string | null;
    preferred: boolean;
    refused: boolean;
  }>(sql`
    select kind, role, bool_or(preferred) as preferred, bool_or(not accepts_contact) as refused
    from ${recipientAddresses} join ${recipients} on ${recipients.tenantId} = ${recipientAddresses.tenantId}
      and ${recipients.id} = ${recipientAddresses.recipientId}
    where ${where} group by kind, role order by avg(position), kind, role limit ${addressesAtMost}`);
  return {
    attributes: [...names]
      .map(({ name }) => name)
      .filter(isAttributeColumn)
      .sort(),
    addresses: [...ways]
      .map(({ kind, role, preferred, refused }) => ({ kind, role, preferred, acceptsContact: refused }))
      .filter(isAddressColumn),
  };
}

/** The columns of the file, which are found once and kept with the order. */
async function columnsOf(tx: Tx, row: OperationRow, request: ExportRequest): Promise<TableColumns> {
  if (request.format === 'ndjson') return { attributes: [], addresses: [] };
  const { columns: known } = row.parameters as { columns?: TableColumns };
  if (known !== undefined) return known;
  const columns = await findColumns(tx, row.tenantId, request);
  await tx
    .update(operations)
    .set({ parameters: { ...row.parameters, columns } })
    .where(and(eq(operations.tenantId, row.tenantId), eq(operations.id, row.id)));
  return columns;
}

async function readPage(tx: Tx, row: OperationRow, request: ExportRequest): Promise<RecipientWithAddresses[]> {
  const rows = await tx
    .select()
    .from(recipients)
    .where(and(conditions(row.tenantId, request), row.cursor === null ? undefined : gt(recipients.id, row.cursor)))
    .orderBy(asc(recipients.id))
    .limit(rowsPerStep);
  return withReferences(tx, row.tenantId, await withAddresses(tx, row.tenantId, rows));
}

function written(
  rows: readonly RecipientWithAddresses[],
  request: ExportRequest,
  columns: TableColumns,
  first: boolean,
) {
  if (request.format === 'ndjson') return Buffer.from(rows.map((row) => `${JSON.stringify(asObject(row))}\n`).join(''));
  const separator = request.separator ?? ';';
  // The mark tells French spreadsheets that it is UTF-8.
  const head = first ? `\uFEFF${csvLine(headerOf(columns), separator)}` : '';
  return Buffer.from(head + rows.map((row) => csvLine(flatten(row, columns), separator)).join(''));
}

/** Writes the next page of an export of recipients, as an import reads them. @returns whether there is more. */
export async function stepRecipientExport(deps: OperationDeps, tx: Tx, row: OperationRow): Promise<boolean> {
  const request = row.parameters as unknown as ExportRequest;
  const columns = await columnsOf(tx, row, request);
  const rows = await readPage(tx, row, request);
  const first = row.cursor === null;
  if (rows.length > 0 || first) await appendChunk(tx, row, written(rows, request, columns, first));
  const last = rows.at(-1);
  if (last === undefined) return false;
  await recordStep(deps, tx, row, { cursor: last.id, done: rows.length, succeeded: rows.length, refused: [] });
  return rows.length === rowsPerStep;
}
