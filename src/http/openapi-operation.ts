/** How a declared operation reads in the OpenAPI document. */
import Type, { type TObject, type TSchema } from 'typebox';
import { type ErrorCode, errorCodes } from '../errors.ts';
import { reference } from '../fields.ts';
import type { Access } from './auth.ts';

/** Every tag, in the order of the page, with what it is about. */
export const tags = {
  access: 'Tenants, API keys, the audit trail',
  content: 'Templates, merge fields, extractions, senders, documents',
  people: 'Recipients and their types, notification types, choices, consents, suppressions, unsubscribing',
  sending: 'Send requests and messages',
  channels: 'Channel accounts',
  following: 'Events, operations, exports',
  service: 'Health',
} as const;

/** One operation of the API, as a route declares it. */
export interface Operation<
  Params extends TSchema = TSchema,
  Query extends TSchema = TSchema,
  Body extends TSchema = TSchema,
> {
  id: string;
  tag: keyof typeof tags;
  summary: string;
  description?: string;
  access: Access;
  params?: Params;
  query?: Query;
  headers?: TObject;
  /** Give it with `examples`: they are run by a test. It may be left out when nothing in it is required. */
  body?: Body & { examples?: unknown[] };
  /** It must be there although nothing in it is required: what is absent from it is emptied. */
  bodyIsWhole?: true;
  consumes?: string[];
  /** The body is worked on as it comes, whatever its size and however long that takes. */
  streamed?: boolean;
  /** Successful answers by status. */
  answers: Record<number, TSchema>;
  /** Errors beyond those every route has. */
  errors?: readonly ErrorCode[];
  /** Whether it takes an `Idempotency-Key`; `required` on send requests. */
  idempotency?: 'accepted' | 'required';
  /** Whether `If-Match` is required. */
  conditional?: boolean;
}

/** Whether a request may come without its body: nothing in it is required. */
export function bodyIsOptional({ body, bodyIsWhole }: Operation): boolean {
  const { required = [], minProperties = 0 } = (body ?? { required: ['none'] }) as {
    required?: string[];
    minProperties?: number;
  };
  return !bodyIsWhole && required.length === 0 && minProperties === 0;
}

const bodyErrors = ['invalid_body', 'invalid_json', 'body_too_large', 'unsupported_media_type'] as const;

/** Whether it is an action that takes no body, and refuses one: what is said there (`dryRun` of an erasure) would be lost. */
export function refusesBody(operation: Operation, method: string): boolean {
  return method === 'POST' && operation.body === undefined && !operation.streamed;
}

/** A body that was not asked for is read all the same, and must be JSON. */
function bodyErrorsOf(operation: Operation, method: string): ErrorCode[] {
  if (method === 'GET') return [];
  const isJudged = operation.body !== undefined || refusesBody(operation, method);
  return bodyErrors.filter((code) => isJudged || code !== 'invalid_body');
}

function errorsOf(operation: Operation, method: string): ErrorCode[] {
  const forTenant = operation.access !== 'public' && operation.access !== 'platform';
  return [
    ...(operation.access === 'public' ? [] : (['unauthenticated', 'forbidden'] as const)),
    'too_many_requests',
    'invalid_query',
    'internal',
    'unavailable',
    ...(operation.params === undefined ? [] : (['not_found'] as const)),
    ...bodyErrorsOf(operation, method),
    ...(forTenant || operation.idempotency !== undefined ? (['invalid_header'] as const) : []),
    ...(operation.idempotency === undefined ? [] : (['idempotency_in_progress', 'idempotency_key_reused'] as const)),
    ...(operation.idempotency === 'required' ? (['idempotency_key_missing'] as const) : []),
    ...(operation.conditional ? (['precondition_failed', 'precondition_required'] as const) : []),
    ...(operation.errors ?? []),
  ];
}

const answerHeaders: Record<number, Record<string, object>> = {
  401: { 'WWW-Authenticate': { type: 'string', description: '`Bearer`' } },
  429: { 'Retry-After': { type: 'integer', description: 'Seconds to wait.' } },
};

function problemAnswers(codes: readonly ErrorCode[]): Record<string, unknown> {
  const byStatus = Map.groupBy(new Set(codes), (code) => errorCodes[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      String(status),
      {
        description: list.map((code) => `\`${code}\`: ${errorCodes[code].en}`).join('\n\n'),
        content: { 'application/problem+json': { schema: reference('Problem') } },
        ...(answerHeaders[status] === undefined ? {} : { headers: answerHeaders[status] }),
      },
    ]),
  );
}

const descriptions: Record<number, string> = { 200: 'Done', 201: 'Created', 202: 'Accepted', 204: 'Done, no content' };

function successAnswers(operation: Operation): Record<string, unknown> {
  const etag = { ETag: { type: 'string', description: 'What `If-Match` takes.' } };
  return Object.fromEntries(
    Object.entries(operation.answers).map(([status, schema]) => [
      status,
      {
        description: descriptions[Number(status)] ?? 'Done',
        ...(operation.conditional && Number(status) < 300 ? { headers: etag } : {}),
        ...(Number(status) === 204 ? { type: 'null' } : schema),
      },
    ]),
  );
}

const idempotencyKey = {
  type: 'string',
  minLength: 1,
  maxLength: 255,
  pattern: '^[\\x21-\\x7e]+$',
  description: 'Visible ASCII characters, fresh for each new action: a repeat gets the first answer again.',
} as const;

/** Checked where they are read, so that each has a code of its own: here they are only told. */
function headersOf(operation: Operation): TObject | undefined {
  const key = Type.Unsafe<string>(idempotencyKey);
  const user = Type.String({ minLength: 1, maxLength: 200, description: 'Who acts inside the calling application.' });
  const headers = {
    ...operation.headers?.properties,
    ...(operation.idempotency === 'accepted' ? { 'Idempotency-Key': Type.Optional(key) } : {}),
    ...(operation.idempotency === 'required' ? { 'Idempotency-Key': key } : {}),
    ...(operation.conditional ? { 'If-Match': Type.String({ description: 'The ETag that was read, or `*`.' }) } : {}),
    ...(Array.isArray(operation.access) ? { 'On-Behalf-Of': Type.Optional(user) } : {}),
  };
  return Object.keys(headers).length === 0 ? undefined : Type.Object(headers);
}

function accessNote(access: Access): string {
  if (access === 'public') return 'No key needed.';
  if (access === 'platform') return 'Needs the platform key.';
  return `Needs the scope ${access.map((scope) => `\`${scope}\``).join(' or ')}.`;
}

/** `/v1/channel-accounts/:id` → `channel account`. */
function resourceOf(url: string): string {
  const [, name = 'resource'] = /\/([a-z-]+)\/:id/.exec(url) ?? [];
  return name.replace(/s$/, '').replaceAll('-', ' ');
}

function describeParams(params: TSchema, url: string): object {
  const known: Record<string, string> = { id: `Id of the ${resourceOf(url)}.`, version: 'Number of the version.' };
  const { properties } = params as TObject;
  const described = Object.entries(properties).map(([name, schema]) => [
    name,
    { ...(name in known ? { description: known[name] } : {}), ...schema },
  ]);
  return { ...params, properties: Object.fromEntries(described) };
}

/** What has a default need not be given, though the handler always finds it. */
function describeQuery(query: TSchema): object {
  const { properties, required = [] } = query as TObject & { required?: string[] };
  return { ...query, required: required.filter((name) => !('default' in (properties[name] ?? {}))) };
}

/** The schema from which the document's entry of an operation is generated. */
export function describeOperation(declared: Operation, method: string, url: string): object {
  const headers = headersOf(declared);
  return {
    operationId: declared.id,
    tags: [declared.tag],
    summary: declared.summary,
    description: [declared.description, accessNote(declared.access)].filter(Boolean).join('\n\n'),
    security: declared.access === 'public' ? [] : [{ key: [] }],
    ...(declared.params === undefined ? {} : { params: describeParams(declared.params, url) }),
    ...(declared.query === undefined ? {} : { querystring: describeQuery(declared.query) }),
    ...(headers === undefined ? {} : { headers }),
    ...(declared.body === undefined ? {} : { body: declared.body }),
    ...(declared.body !== undefined && bodyIsOptional(declared) ? { 'x-body-optional': true } : {}),
    ...(declared.consumes === undefined ? {} : { consumes: declared.consumes }),
    response: { ...successAnswers(declared), ...problemAnswers(errorsOf(declared, method)) },
  };
}

interface Written {
  requestBody?: { required?: boolean };
  'x-body-optional'?: boolean;
}

/** The generator writes every body as required: this takes it back where it is not. */
export function finishDocument<Document extends { paths?: object }>(document: Document): Document {
  for (const item of Object.values(document.paths ?? {})) {
    for (const written of Object.values(item) as Written[]) {
      if (written.requestBody && written['x-body-optional']) written.requestBody.required = false;
      delete written['x-body-optional'];
    }
  }
  return document;
}
