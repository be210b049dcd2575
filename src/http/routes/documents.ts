import type { FastifyRequest } from 'fastify';
import { allowedMediaTypes } from '../../documents/media-type.ts';
import { Document, DocumentUpload } from '../../documents/schema.ts';
import {
  checkFile,
  createDocument,
  type DocumentRow,
  getDocument,
  loadContents,
  refusedDocument,
} from '../../documents/store.ts';
import { AppError } from '../../errors.ts';
import { closed, reference, Uuid } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import { getTenant } from '../../tenants/store.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import type { App } from '../validation.ts';

const params = closed({ id: Uuid });

// Bytes have no JSON schema: the media type says all (OpenAPI 3.1).
const fileAnswer = {
  description: 'The file',
  content: Object.fromEntries(allowedMediaTypes.map((type) => [type, { schema: {} }])),
};

/** What the parts around a file take at most: a body that announces more is not parsed. */
const multipartOverheadBytes = 16 * 1024;

function presentDocument(row: DocumentRow) {
  const { tenantId: _tenantId, usedAt: _usedAt, erasureId: _erasureId, ...shown } = row;
  return shown;
}

function unreadable(pointer: string, code: string, message: string, cause?: unknown): AppError {
  return new AppError('invalid_body', { detail: `${pointer} ${message}`, items: [{ pointer, code, message }], cause });
}

function tooLarge(maximumBytes: number): AppError {
  return refusedDocument('too_large', `must be at most ${maximumBytes} bytes`);
}

interface Upload {
  filename: string;
  mediaType: string;
  content: Buffer;
}

async function readParts(request: FastifyRequest, maximumBytes: number): Promise<Upload | null> {
  let upload: Upload | null = null;
  // The path is kept so that a name with one is seen and refused.
  const parts = request.parts({ preservePath: true, limits: { fileSize: maximumBytes } });
  for await (const part of parts) {
    if (part.type !== 'file' || part.fieldname !== 'file') {
      throw unreadable(`/${part.fieldname}`, 'unknown_field', 'must be the one part `file`, with a file name');
    }
    const chunks: Buffer[] = [];
    for await (const chunk of part.file) chunks.push(chunk as Buffer);
    if (part.file.truncated) throw tooLarge(maximumBytes);
    upload = { filename: part.filename ?? '', mediaType: part.mimetype, content: Buffer.concat(chunks) };
  }
  return upload;
}

/** The one file of a multipart body. @throws AppError for any other body, and for a file beyond the limit. */
async function readUpload(request: FastifyRequest, maximumBytes: number): Promise<Upload> {
  if (!request.isMultipart()) throw new AppError('unsupported_media_type');
  try {
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > maximumBytes + multipartOverheadBytes) throw tooLarge(maximumBytes);
    const upload = await readParts(request, maximumBytes);
    if (upload === null) throw unreadable('/file', 'required', 'is required: one part named file, with a file name');
    return upload;
  } catch (error) {
    // Bytes left unread would keep the connection busy for ever: they are thrown away as they come.
    request.raw.unpipe();
    request.raw.resume();
    if (error instanceof AppError) throw error;
    // The parser's own errors have no status: a body that is cut or malformed is the caller's.
    throw unreadable('/file', 'multipart_invalid', 'must be one file in a whole multipart body', error);
  }
}

/** RFC 6266: a plain name for old clients, the true one as RFC 5987 has it. */
function attachment(filename: string): string {
  const plain = filename.replace(/[^A-Za-z0-9 ._-]/g, '_');
  const encoded = encodeURIComponent(filename).replace(
    /['()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

function uploadRoute(app: App, runtime: Runtime): void {
  app.post(
    '/v1/documents',
    {
      ...operation({
        id: 'createDocument',
        tag: 'content',
        summary: 'Upload a file to attach to messages',
        description:
          'Its type is checked by its first bytes. The content is kept once per organisation. An upload that no message uses is deleted after 7 days.',
        access: ['documents:create'],
        body: DocumentUpload,
        consumes: ['multipart/form-data'],
        idempotency: 'accepted',
        answers: { 201: reference('Document') },
        errors: ['document_invalid'],
      }),
      // The body is a stream of parts, which `readUpload` checks: there is no value to hold against the schema.
      validatorCompiler: () => () => true,
    },
    async (request, reply) => {
      const { tenantId } = callerOf(request);
      const { documentMaxBytes } = await getTenant(runtime.db, tenantId);
      const file = await checkFile(await readUpload(request, documentMaxBytes));
      const { filename, mediaType, sha256 } = file;
      return runIdempotently<{ id: string }>(
        runtime,
        request,
        reply,
        { filename, mediaType, sha256 },
        {
          async commit(tx) {
            const { id } = await createDocument(runtime, tx, tenantId, file);
            return { status: 201, answer: { id } };
          },
          present: async ({ id }) => presentDocument(await getDocument(runtime.db, tenantId, id)),
          location: ({ id }) => `/v1/documents/${id}`,
        },
      );
    },
  );
}

function readRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/documents/:id',
    operation({
      id: 'getDocument',
      tag: 'content',
      summary: 'Read what is known of a document',
      access: ['documents:read'],
      params,
      answers: { 200: reference('Document') },
    }),
    async (request) => presentDocument(await getDocument(runtime.db, callerOf(request).tenantId, request.params.id)),
  );

  app.get(
    '/v1/documents/:id/content',
    operation({
      id: 'getDocumentContent',
      tag: 'content',
      summary: 'Read the bytes of a document',
      access: ['documents:read'],
      params,
      answers: { 200: fileAnswer as never },
    }),
    async (request, reply) => {
      const { tenantId } = callerOf(request);
      const { filename, mediaType, sha256 } = await getDocument(runtime.db, tenantId, request.params.id);
      const content = (await loadContents(runtime.db, tenantId, [sha256])).get(sha256);
      if (content === undefined) throw new Error(`the content ${sha256} is not kept`);
      return reply
        .header('content-type', mediaType.startsWith('text/') ? `${mediaType}; charset=utf-8` : mediaType)
        .header('content-disposition', attachment(filename))
        .header('x-content-type-options', 'nosniff')
        .send(content);
    },
  );
}

/** Documents: files attached to messages. */
export function documentRoutes(app: App, runtime: Runtime): void {
  app.addSchema(Document);
  uploadRoute(app, runtime);
  readRoutes(app, runtime);
}
