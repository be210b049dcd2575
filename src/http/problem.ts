import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { isUnavailable } from '../db/client.ts';
import { AppError, type ErrorCode, errorCodes, type Language } from '../errors.ts';
import { itemsOf, type ValidationFault } from '../schema-check.ts';
import { RendererOverloadedError } from '../templates/rendering/renderer.ts';

/** Most items in one answer: beyond them the caller has a systematic mistake. */
const maximumItems = 1_000;

/** When a data source that cannot be reached may be asked again. */
const sourceRetrySeconds = 5;

/** The language a caller reads best, of those the service writes. English unless French is preferred. */
export function languageOf(request: FastifyRequest): Language {
  const header = request.headers['accept-language'] ?? '';
  const ranked = header
    .split(',')
    .map((part) => {
      const [tag = '', ...parameters] = part.trim().toLowerCase().split(';');
      const quality = parameters
        .find((parameter) => parameter.trim().startsWith('q='))
        ?.trim()
        .slice(2);
      return { tag, quality: quality === undefined ? 1 : Number(quality) || 0 };
    })
    .sort((left, right) => right.quality - left.quality);
  return ranked.find(({ tag }) => /^(fr|en)\b/.test(tag))?.tag.startsWith('fr') ? 'fr' : 'en';
}

/** A problem document (RFC 9457) about a path. */
export function problemAt(instance: string, language: Language, error: AppError) {
  const { status } = errorCodes[error.code];
  return {
    type: `urn:notification-service:error:${error.code}`,
    title: errorCodes[error.code][language],
    status,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    instance,
    code: error.code,
    ...(error.items.length === 0 ? {} : { errors: error.items.slice(0, maximumItems) }),
    ...error.extra,
  };
}

/** The problem document of a request. `instance` is the path asked for, without its query. */
export function problemOf(request: FastifyRequest, error: AppError) {
  return problemAt(request.url.split('?', 1)[0] ?? '/', languageOf(request), error);
}

/** Sends a problem document. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: AppError): FastifyReply {
  const { status } = errorCodes[error.code];
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  if (error.code === 'source_unavailable') reply.header('retry-after', String(sourceRetrySeconds));
  return reply
    .code(status)
    .type('application/problem+json')
    .send(JSON.stringify(problemOf(request, error)));
}

/** A schema error of Fastify as the service's own: every fault with its pointer. */
export function schemaError(error: { validation: ValidationFault[]; validationContext?: string }): AppError {
  const items = itemsOf(error.validation);
  const body = error.validationContext === 'body';
  const code: ErrorCode = body
    ? 'invalid_body'
    : error.validationContext === 'headers'
      ? 'invalid_header'
      : 'invalid_query';
  const where = items[0]?.pointer === '' ? '(root)' : items[0]?.pointer;
  return new AppError(code, { detail: `${where} ${items[0]?.message}`, items });
}

const fastifyCodes: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_REQ_FILE_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_INVALID_MULTIPART_CONTENT_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_header',
  FST_ERR_BAD_URL: 'invalid_query',
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
  FST_ERR_ASYNC_CONSTRAINT: 'not_found',
};

/** Whatever was thrown, as an error that may be shown. Anything not foreseen is `internal`, and says nothing. */
export function appErrorOf(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof RendererOverloadedError) return new AppError('unavailable', { cause: error });
  const fault = error as {
    validation?: ValidationFault[];
    validationContext?: string;
    code?: string;
    statusCode?: number;
  };
  if (Array.isArray(fault?.validation)) {
    return schemaError({
      validation: fault.validation,
      ...(fault.validationContext === undefined ? {} : { validationContext: fault.validationContext }),
    });
  }
  const known = fault?.code === undefined ? undefined : fastifyCodes[fault.code];
  if (known !== undefined) return new AppError(known, { cause: error });
  if (fault?.statusCode === 413) return new AppError('body_too_large', { cause: error });
  if (fault?.statusCode === 429) return new AppError('too_many_requests', { cause: error });
  if (fault?.statusCode !== undefined && fault.statusCode >= 400 && fault.statusCode < 500) {
    return new AppError('invalid_body', { cause: error });
  }
  return new AppError('internal', { cause: error });
}

/** What is told of whatever was thrown; the log has what is not foreseen, and what the database did not do. */
export function toldFault(log: Logger, request: FastifyRequest, error: unknown): AppError {
  const told = isUnavailable(error) ? new AppError('unavailable', { cause: error }) : appErrorOf(error);
  if (told.code === 'internal' || told.code === 'unavailable') {
    log.error({ err: error, requestId: request.id, route: request.routeOptions.url }, 'request.failed');
  }
  return told;
}
