import { Readable } from 'node:stream';
import Type from 'typebox';
import { AppError, notFound } from '../../errors.ts';
import { closed, reference, Uuid } from '../../fields.ts';
import { startExport } from '../../operations/export.ts';
import { type ExportRequest, NewExport } from '../../operations/schema.ts';
import { exportKeptMs, getOperation, readChunks } from '../../operations/store.ts';
import type { Runtime } from '../../runtime.ts';
import { type Caller, demand } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import type { App } from '../validation.ts';
import { presentOperation } from './operations.ts';

const params = closed({ id: Uuid });

async function getExport(runtime: Runtime, caller: Caller, id: string) {
  const row = await getOperation(runtime.db, caller, id);
  if (row.kind !== 'export') throw notFound();
  return row;
}

function contentRoute(app: App, runtime: Runtime): void {
  app.get(
    '/v1/exports/:id/content',
    operation({
      id: 'getExportContent',
      tag: 'following',
      summary: 'The file of an export that is done',
      description:
        'Kept for seven days, or until a person who is in it is erased. Also needs the scope `messages:read`, or `recipients:read` where it holds them.',
      access: ['exports:read'],
      params,
      answers: {
        200: {
          description: 'The file',
          content: { 'text/csv': { schema: Type.String() }, 'application/x-ndjson': { schema: Type.String() } },
        } as never,
      },
      errors: ['not_finished', 'erased'],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const row = await getExport(runtime, caller, request.params.id);
      const { format, kind, fileErased } = row.parameters as unknown as ExportRequest & { fileErased?: true };
      demand(caller, `${kind}:read`);
      // Its file is kept for seven days.
      if (row.finishedAt !== null && runtime.clock.now().getTime() - row.finishedAt.getTime() > exportKeptMs)
        throw notFound();
      if (row.status !== 'done') throw new AppError('not_finished', { extra: { currentStatus: row.status } });
      if (fileErased) throw new AppError('erased');
      reply.header('content-disposition', `attachment; filename="${kind}-${row.id}.${format}"`);
      reply.type(format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson');
      return reply.send(Readable.from(readChunks(runtime.db, caller.tenantId, row.id)));
    },
  );
}

/** Exports: journals of messages as files (W12), and recipients. */
export function exportRoutes(app: App, runtime: Runtime): void {
  app.post(
    '/v1/exports',
    operation({
      id: 'createExport',
      tag: 'following',
      summary: 'Export messages or recipients as a file',
      description:
        'The journal of what was sent is the filter `OK`, that of what failed the filter `KO`. Recipients come as an import reads them, which needs the scope `recipients:read`, too.',
      access: ['exports:create'],
      body: NewExport,
      idempotency: 'accepted',
      answers: { 202: reference('OperationStarted') },
      errors: ['unprocessable'],
    }),
    (request, reply) =>
      runIdempotently<{ operation: string; status: string }>(runtime, request, reply, request.body, {
        async commit(tx) {
          const caller = callerOf(request);
          if (request.body.kind === 'recipients') demand(caller, 'recipients:read');
          const { id, status } = await startExport(runtime, tx, caller, request.body);
          return { status: 202, answer: { operation: id, status } };
        },
        location: ({ operation: id }) => `/v1/exports/${id}`,
      }),
  );

  app.get(
    '/v1/exports/:id',
    operation({
      id: 'getExport',
      tag: 'following',
      summary: 'Progress of an export',
      access: ['exports:read'],
      params,
      answers: { 200: reference('Operation') },
    }),
    async (request) => presentOperation(await getExport(runtime, callerOf(request), request.params.id)),
  );
  contentRoute(app, runtime);
}
