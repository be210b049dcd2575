import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import Type, { type TSchema } from 'typebox';
import { AppError } from '../../errors.ts';
import { closed, key, reference } from '../../fields.ts';
import type { ImportOrder } from '../../operations/import/file.ts';
import { receiveImport } from '../../operations/import/receive.ts';
import type { Runtime } from '../../runtime.ts';
import { demand, type Scope } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { operation } from '../openapi.ts';
import { type App, useStrictValidation } from '../validation.ts';

const mediaTypes = ['text/csv', 'application/x-ndjson'];

/** Nothing has come for so long: who sends is gone. */
const idleMs = 60_000;

/** Files that one organisation sends at once to each server. A slow one holds its place for as long as it lasts. */
const uploadsAtMost = 4;
const retryAfterSeconds = 5;

/** Counts files that are being sent. */
interface Uploads {
  /** @returns the way to give the place back; null: there are as many as one organisation may send. */
  begin(tenantId: string): (() => void) | null;
}

function countUploads(): Uploads {
  const byTenant = new Map<string, number>();
  return {
    begin(tenantId) {
      const others = byTenant.get(tenantId) ?? 0;
      if (others >= uploadsAtMost) return null;
      byTenant.set(tenantId, others + 1);
      return () => {
        const left = (byTenant.get(tenantId) ?? 0) - 1;
        if (left > 0) byTenant.set(tenantId, left);
        else byTenant.delete(tenantId);
      };
    },
  };
}

const file = Type.String({ description: 'The file itself, of any size.' });

const about =
  'The body is read as it comes, and its rows are worked on meanwhile; the answer is an operation with progress, counts and what was refused, by row. A connection that breaks leaves what came before: the operation ends with `truncatedAt`. Importing a file again changes nothing that has not changed, so no `Idempotency-Key` is taken. An organisation sends four files at once to each server; a fifth gets 429 with `Retry-After`.';

/** The bytes of the body. They end with a fault when the sender is gone, silent, or the service stops. */
async function* bytesOf(request: FastifyRequest, stopped: AbortSignal): AsyncGenerator<Buffer> {
  const body = request.body as Readable;
  const stop = () => body.destroy(new Error('the upload was ended'));
  const idle = setTimeout(stop, idleMs).unref();
  stopped.addEventListener('abort', stop);
  try {
    // Not destroyed when nothing more is read of it: what is wrong with the file is still to be answered.
    for await (const bytes of body.iterator({ destroyOnReturn: false })) {
      idle.refresh();
      yield bytes as Buffer;
      idle.refresh();
    }
  } finally {
    clearTimeout(idle);
    stopped.removeEventListener('abort', stop);
  }
}

/** How the file is written, by its media type. @throws AppError `unsupported_media_type`. */
function formatOf(request: FastifyRequest): ImportOrder['format'] {
  const [type = ''] = (request.headers['content-type'] ?? '').toLowerCase().split(';');
  if (type.trim() === 'text/csv') return 'csv';
  if (type.trim() === 'application/x-ndjson') return 'ndjson';
  throw new AppError('unsupported_media_type');
}

interface ImportRoute {
  resource: ImportOrder['resource'];
  id: string;
  summary: string;
  description: string;
  scope: Scope;
  /** Beyond the first. */
  alsoScope?: Scope;
}

function importRoute<Query extends TSchema>(
  app: App,
  runtime: Runtime,
  during: { stopped: AbortSignal; uploads: Uploads },
  route: ImportRoute,
  query: Query,
): void {
  const { resource, id, summary, scope, alsoScope } = route;
  const { schema, config } = operation({
    id,
    tag: 'people',
    summary,
    description: `${route.description} ${about}`,
    access: [scope],
    query,
    body: file,
    consumes: mediaTypes,
    streamed: true,
    answers: { 202: reference('OperationStarted') },
    errors: ['unprocessable'],
  });
  // The body is a stream, which has no value to hold against its schema.
  const { body: _body, ...checked } = schema;
  app.post(`/v1/${resource}/import`, { schema: checked, config }, async (request, reply) => {
    const caller = callerOf(request);
    const { type = null } = request.query as { type?: string };
    const leave = during.uploads.begin(caller.tenantId);
    try {
      if (leave === null) {
        reply.header('retry-after', String(retryAfterSeconds));
        const detail = `This organisation is sending ${uploadsAtMost} files already: send this one when one of them has ended.`;
        throw new AppError('too_many_requests', { detail });
      }
      if (alsoScope !== undefined) demand(caller, alsoScope);
      const order = { resource, format: formatOf(request), type };
      await runtime.addressHashes.prepare(runtime.db, caller.tenantId);
      const operationId = await receiveImport(runtime, caller, order, bytesOf(request, during.stopped));
      return reply
        .code(202)
        .header('location', `/v1/operations/${operationId}`)
        .send({ operation: operationId, status: 'queued' });
    } finally {
      leave?.();
      // Bytes left unread would keep the connection busy: they are thrown away as they come.
      request.raw.resume();
    }
  });
}

const recipientNotes =
  'A row is found by `type` and `externalId`: it sets what it gives and keeps the rest (`attributes` and `addresses` as a whole). Columns of a CSV file: `type`, `externalId`, `displayName`, `locale`, `preferredChannel`, `attributes.<name>`, and addresses by kind and role (`mail`, `mail.personal`, `mobile`), each with `.preferred` and `.acceptsContact` behind it (oui, non, true, 1, x …); `attributes` and `addresses` as JSON. An empty cell gives nothing. Separators `;`, `,` and tab, and the encodings UTF-8, UTF-16 with a mark and Windows-1252 are recognised. NDJSON has one object per line, as `POST /v1/recipients` takes it. Also needs the scope `recipients:create`.';

const suppressionNotes =
  'Columns: `address`, `cause`, `channel`, `since`, `note`. What waits for an address that is new here is blocked, as the single route does; one that is suppressed already stays as it is.';

/** Imports: files of any size, read as they come. */
export async function importRoutes(app: App, runtime: Runtime): Promise<void> {
  // Apart from the other routes, which do not read such bodies.
  await app.register(async (scope) => {
    useStrictValidation(scope);
    const stopping = new AbortController();
    scope.addHook('preClose', async () => stopping.abort());
    scope.addContentTypeParser(mediaTypes, (_request, body, done) => done(null, body));
    const during = { stopped: stopping.signal, uploads: countUploads() };
    importRoute(
      scope as unknown as App,
      runtime,
      during,
      {
        resource: 'recipients',
        id: 'importRecipients',
        summary: 'Import recipients from CSV or NDJSON',
        description: recipientNotes,
        scope: 'recipients:update',
        alsoScope: 'recipients:create',
      },
      closed({ type: Type.Optional(key({ description: 'The type of rows that have none.' })) }),
    );
    importRoute(
      scope as unknown as App,
      runtime,
      during,
      {
        resource: 'suppressions',
        id: 'importSuppressions',
        summary: 'Import addresses that are not written to',
        description: suppressionNotes,
        scope: 'suppressions:create',
      },
      closed({}),
    );
  });
}
