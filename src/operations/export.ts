import { and, asc, desc, eq, gt, inArray } from 'drizzle-orm';
import type { Tx } from '../db/client.ts';
import { attempts, messages } from '../db/tables/messages.ts';
import { templates } from '../db/tables/templates.ts';
import { invalidField } from '../errors.ts';
import { filterConditions } from '../messages/filter.ts';
import { deliveryOf } from '../messages/present.ts';
import { countMatching } from '../messages/store.ts';
import { csvLine } from '../row-files/csv-text.ts';
import type { Caller } from '../tenants/rights.ts';
import { countRecipients, stepRecipientExport } from './export-recipients.ts';
import type { ExportRequest } from './schema.ts';
import { appendChunk, createOperation, type OperationDeps, type OperationRow, recordStep } from './store.ts';

const rowsPerStep = 1_000;

const columns = [
  'id',
  'status',
  'delivery',
  'reason',
  'remark',
  'toName',
  'toAddress',
  'subject',
  'contextType',
  'contextRef',
  'requestedByUser',
  'requestedByOsUser',
  'requestedByWorkstation',
  'template',
  'sendRequest',
  'createdAt',
  'editedAt',
  'sentAt',
  'attemptCount',
  'answerCode',
  'answer',
] as const;

type ExportRow = Record<(typeof columns)[number], string | number | Date | null>;

function refuseMember(pointer: string): never {
  throw invalidField(pointer, 'not_allowed', 'is for another kind of export');
}

/** Asks for an export: a journal of what was sent is the filter `OK`, of what failed the filter `KO` (W12). @throws AppError `unprocessable`. */
export async function startExport(
  deps: Pick<OperationDeps, 'clock' | 'newId' | 'jobs'>,
  tx: Tx,
  caller: Caller,
  request: ExportRequest,
): Promise<OperationRow> {
  if (request.kind === 'recipients' && request.filter !== undefined) refuseMember('/filter');
  if (request.kind === 'messages' && request.recipientFilter !== undefined) refuseMember('/recipientFilter');
  const total =
    request.kind === 'recipients'
      ? await countRecipients(tx, caller.tenantId, request)
      : await countMatching(tx, caller, request.filter ?? {});
  return createOperation(deps, tx, caller, { kind: 'export', parameters: { ...request }, total });
}

async function lastAnswers(tx: Tx, tenantId: string, ids: readonly string[]) {
  if (ids.length === 0) return new Map();
  const rows = await tx
    .selectDistinctOn([attempts.messageId], {
      messageId: attempts.messageId,
      code: attempts.code,
      answer: attempts.answer,
    })
    .from(attempts)
    .where(and(eq(attempts.tenantId, tenantId), inArray(attempts.messageId, [...ids])))
    .orderBy(attempts.messageId, desc(attempts.id));
  return new Map(rows.map((row) => [row.messageId, row]));
}

async function readRows(tx: Tx, row: OperationRow, request: ExportRequest): Promise<ExportRow[]> {
  const viewer = { tenantId: row.tenantId, testOnly: row.test };
  const asked = new Date(row.createdAt.getTime() + 1);
  const given = request.filter?.createdTo;
  const createdTo = given !== undefined && new Date(given) < asked ? given : asked.toISOString();
  const found = await tx
    .select({ message: messages, template: templates.key })
    .from(messages)
    .leftJoin(templates, and(eq(templates.tenantId, messages.tenantId), eq(templates.id, messages.templateId)))
    .where(
      and(
        filterConditions(viewer, { ...request.filter, createdTo }),
        row.cursor === null ? undefined : gt(messages.id, row.cursor),
      ),
    )
    .orderBy(asc(messages.id))
    .limit(rowsPerStep);
  const answers = await lastAnswers(
    tx,
    row.tenantId,
    found.map(({ message }) => message.id),
  );
  return found.map(({ message, template }) => ({
    id: message.id,
    status: message.status,
    delivery: deliveryOf(message),
    reason: message.reason,
    remark: message.remark,
    toName: message.toName,
    toAddress: message.toAddress,
    subject: message.subject,
    contextType: message.contextType,
    contextRef: message.contextRef,
    requestedByUser: message.requestedByUser,
    requestedByOsUser: message.requestedByOsUser,
    requestedByWorkstation: message.requestedByWorkstation,
    template,
    sendRequest: message.sendRequestId,
    createdAt: message.createdAt,
    editedAt: message.editedAt,
    sentAt: message.sentAt,
    attemptCount: message.attemptCount,
    answerCode: answers.get(message.id)?.code ?? null,
    answer: answers.get(message.id)?.answer ?? null,
  }));
}

function written(rows: readonly ExportRow[], request: ExportRequest, first: boolean): Buffer {
  if (request.format === 'ndjson') return Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const separator = request.separator ?? ';';
  const lines = rows.map((row) =>
    csvLine(
      columns.map((column) => row[column]),
      separator,
    ),
  );
  // The mark tells French spreadsheets that it is UTF-8.
  const head = first ? `\uFEFF${csvLine([...columns], separator)}` : '';
  return Buffer.from(head + lines.join(''));
}

/** Writes the next page of an export. @returns whether there is more. */
export async function stepExport(deps: OperationDeps, tx: Tx, row: OperationRow): Promise<boolean> {
  const request = row.parameters as unknown as ExportRequest;
  if (request.kind === 'recipients') return stepRecipientExport(deps, tx, row);
  const rows = await readRows(tx, row, request);
  const first = row.cursor === null;
  if (rows.length > 0 || first) await appendChunk(tx, row, written(rows, request, first));
  const last = rows.at(-1)?.id;
  if (typeof last !== 'string') return false;
  await recordStep(deps, tx, row, { cursor: last, done: rows.length, succeeded: rows.length, refused: [] });
  return rows.length === rowsPerStep;
}
