import { STATUS_CODES } from 'node:http';
import multipart from '@fastify/multipart';
import rateLimit from '@fastify/rate-limit';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import { AppError, errorCodes, escapePointer } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { parseStrictJson } from '../strict-json.ts';
import { useAdmission } from './admission.ts';
import { useAuthentication } from './auth.ts';
import { useDocs } from './docs.ts';
import { useOpenapi } from './openapi.ts';
import { refusesBody } from './openapi-operation.ts';
import { checkPlainText } from './plain-text.ts';
import { appErrorOf, problemAt, sendProblem, toldFault } from './problem.ts';
import { registerRoutes } from './routes/index.ts';
import { useStrictValidation } from './validation.ts';

/** Enough for 10,000 recipients with their data. */
const bodyLimitBytes = 32 * 1024 * 1024;

function useProblems(app: FastifyInstance, runtime: Runtime): void {
  app.setErrorHandler((error, request, reply) => {
    return sendProblem(request, reply, toldFault(runtime.log, request, error));
  });
  app.setNotFoundHandler((request, reply) => sendProblem(request, reply, new AppError('not_found')));
}

/** Of an action that takes no body (`refusesBody`): an empty one is all it may have. */
function refuseUnreadBody(request: FastifyRequest): void {
  const { method, body } = request;
  const { operation } = request.routeOptions.config;
  if (operation === undefined || !refusesBody(operation, method)) return;
  // A form is read by nobody, and so looks like no body at all.
  if (request.isMultipart()) throw new AppError('unsupported_media_type');
  if (body === undefined || body === null || (isRecord(body) && Object.keys(body).length === 0)) return;
  const pointer = isRecord(body) ? `/${escapePointer(Object.keys(body)[0] ?? '')}` : '';
  const message = 'is not known: this takes no body';
  throw new AppError('invalid_body', {
    detail: `${pointer || '(root)'} ${message}`,
    items: [{ pointer, code: 'unknown_field', message }],
  });
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function useJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    /^application\/([\w.-]+\+)?json\b/i,
    { parseAs: 'buffer' },
    async (_request: unknown, body: Buffer) => parseStrictJson(body),
  );
  app.addHook('preValidation', async (request) => {
    checkPlainText(request.params);
    checkPlainText(request.query);
    refuseUnreadBody(request);
  });
}

async function useRateLimit(app: FastifyInstance, runtime: Runtime): Promise<void> {
  await app.register(rateLimit, {
    max: runtime.config.requestsPerMinute,
    timeWindow: 60_000,
    enableDraftSpec: true,
    hook: 'preParsing',
    // A balancer that asks for health must not be told to slow down.
    allowList: (request) => request.routeOptions.url?.startsWith('/health') ?? false,
    keyGenerator: (request) => request.caller?.keyId ?? request.ip,
    errorResponseBuilder: () => new AppError('too_many_requests'),
  });
}

/** Longest time of a request, whatever it is. */
const longestRequestMs = 6 * 60 * 60 * 1_000;
/** Longest time until the whole of a request has come: it holds a place, and a graceful stop waits for it. */
const longestArrivalMs = 60_000;

function useArrivalLimit(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ raw, routeOptions, headers }) => {
    const bodiless = headers['content-length'] === undefined && headers['transfer-encoding'] === undefined;
    if (bodiless || routeOptions.config.operation?.streamed) return;
    const late = setTimeout(() => {
      if (raw.complete || !raw.socket.writable) return;
      raw.socket.end(refusedBeforeRouting({ code: 'ERR_HTTP_REQUEST_TIMEOUT' }), () => raw.destroy());
    }, longestArrivalMs);
    late.unref();
    raw.once('close', () => clearTimeout(late));
  });
}

/** The whole answer to what the parser gave up on: it is not yet a request that the router could answer. */
function refusedBeforeRouting(error: { code?: string }): string {
  const code = error.code === 'HPE_HEADER_OVERFLOW' ? 'headers_too_large' : 'invalid_header';
  const { status } = errorCodes[code];
  const body = JSON.stringify(problemAt('/', 'en', new AppError(code)));
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `\r\n${body}`,
  ].join('\r\n');
}

/** Version of the API, as its document says it. */
export const apiVersion = '1.0.0';

/** Builds the API without listening, so that every test can build its own. */
export async function buildApp(runtime: Runtime): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: bodyLimitBytes,
    // A body that is worked on as it comes may take long: `useArrivalLimit` ends the others.
    requestTimeout: longestRequestMs,
    genReqId: () => runtime.newId(),
    // A query is at most a filter; a path at most an external id.
    routerOptions: { maxParamLength: 500 },
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    // Faults of the router come before any hook: a path that is too long, or wrongly encoded.
    frameworkErrors: (error, request, reply) => {
      sendProblem(request, reply, appErrorOf(error));
    },
    clientErrorHandler(error, socket) {
      if (socket.writable) socket.end(refusedBeforeRouting(error));
    },
  });
  useArrivalLimit(app);
  useStrictValidation(app);
  useProblems(app, runtime);
  useJson(app);
  await app.register(multipart, { limits: { files: 1, fields: 4, fieldSize: 1_000, parts: 5, fileSize: 10_000_000 } });
  await useOpenapi(app, { publicUrl: runtime.config.publicUrl, version: apiVersion });
  useAuthentication(app, runtime);
  await useRateLimit(app, runtime);
  useAdmission(app, bodyLimitBytes);
  app.addHook('onResponse', async (request, reply) => {
    runtime.log.info(
      {
        requestId: request.id,
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime),
        keyId: request.caller?.keyId ?? null,
        tenantId: request.caller?.tenantId ?? null,
      },
      'request.answered',
    );
  });
  await registerRoutes(app.withTypeProvider<TypeBoxTypeProvider>(), runtime);
  await useDocs(app);
  return app;
}
