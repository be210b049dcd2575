/** Rows of an import that wait for the end of their file, because they name somebody who may stand further down. */
import { and, asc, eq, gt, sql } from 'drizzle-orm';
import type { Tx } from '../../db/client.ts';
import { insertRows } from '../../db/rows.ts';
import { importWaitingRows } from '../../db/tables/dispatch.ts';
import type { GivenRecipient } from '../../recipients/import/check-row.ts';
import { keyOf } from '../../recipients/import/compare-related.ts';
import type { UploadKey } from './uploads.ts';

/** A row that was read, and where it stands in its file. */
export interface PlacedRow {
  row: number;
  line: number;
  given: GivenRecipient;
}

const ofImport = ({ tenantId, operationId }: UploadKey) =>
  and(eq(importWaitingRows.tenantId, tenantId), eq(importWaitingRows.operationId, operationId));

/** Keeps rows until the file has been read. */
export async function keepWaiting(tx: Tx, of: UploadKey, rows: readonly PlacedRow[]): Promise<void> {
  await insertRows(
    tx,
    importWaitingRows,
    rows.map(({ row, line, given }) => {
      const { type, externalId } = given;
      return { tenantId: of.tenantId, operationId: of.operationId, row, line, type, externalId, given: { ...given } };
    }),
  );
}

/** Rows that wait, in the order of the file. */
export async function readWaiting(tx: Tx, of: UploadKey, afterRow: number, limit: number): Promise<PlacedRow[]> {
  const rows = await tx
    .select()
    .from(importWaitingRows)
    .where(and(ofImport(of), gt(importWaitingRows.row, afterRow)))
    .orderBy(asc(importWaitingRows.row))
    .limit(limit);
  return rows.map(({ row, line, given }) => ({ row, line, given: given as unknown as GivenRecipient }));
}

/** Forgets rows of which it is decided what becomes of them. */
export async function forgetWaiting(tx: Tx, of: UploadKey, rows: readonly PlacedRow[]): Promise<void> {
  if (rows.length === 0) return;
  const numbers = sql`${`{${rows.map(({ row }) => row).join(',')}}`}::integer[]`;
  await tx.delete(importWaitingRows).where(and(ofImport(of), sql`${importWaitingRows.row} = any(${numbers})`));
}

/** Those of the recipients, by `keyOf`, of whom a row before this one waits: what comes later must not overtake it. */
export async function keysThatWait(
  tx: Tx,
  of: UploadKey,
  beforeRow: number,
  rows: readonly PlacedRow[],
): Promise<Set<string>> {
  const keys = JSON.stringify(rows.map(({ given: { type, externalId } }) => ({ type, external_id: externalId })));
  const found = await tx
    .selectDistinct({ type: importWaitingRows.type, externalId: importWaitingRows.externalId })
    .from(importWaitingRows)
    .where(
      and(
        ofImport(of),
        sql`${importWaitingRows.row} < ${beforeRow}`,
        sql`(${importWaitingRows.type}, ${importWaitingRows.externalId}) in (
          select type, external_id from json_to_recordset(${keys}::json) as given(type text, external_id text))`,
      ),
    );
  return new Set(found.map(keyOf));
}

/**
 * Forgets the rows that wait to say something of a recipient who is erased: they would make them anew when their file ends.
 * Each is told as refused, so that the rows of the file still add up.
 */
export async function refuseWaitingOf(
  tx: Tx,
  tenantId: string,
  { type, externalId }: { type: string; externalId: string },
): Promise<void> {
  const fault = JSON.stringify({ pointer: '', code: 'erased', message: 'the person was erased meanwhile' });
  await tx.execute(sql`
    with gone as (
      delete from import_waiting_rows where tenant_id = ${tenantId} and type = ${type} and external_id = ${externalId}
      returning operation_id, "row", line
    ), told as (
      select operation_id, count(*)::int as rows,
        jsonb_agg(jsonb_build_object('row', "row", 'line', line) || ${fault}::jsonb order by "row") as refused
      from gone group by operation_id
    )
    update operations set refused = operations.refused || told.refused, done = done + told.rows,
      refused_count = refused_count + told.rows
    from told where operations.tenant_id = ${tenantId} and operations.id = told.operation_id`);
}
