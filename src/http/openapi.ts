import fastifySwagger from '@fastify/swagger';
import type { FastifyContextConfig, FastifyInstance } from 'fastify';
import Type, { type TObject, type TSchema, type TUnknown } from 'typebox';
import { type ErrorCode, errorCodes } from '../errors.ts';
import { closed, reference } from '../fields.ts';
import type { Access } from './auth.ts';

/** RFC 9457. Further members say more about some errors (the current `status` of a message, say). */
const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.Optional(Type.String()),
    instance: Type.String(),
    code: Type.String({ enum: Object.keys(errorCodes) }),
    errors: Type.Optional(Type.Array(closed({ pointer: Type.String(), code: Type.String(), message: Type.String() }))),
  },
  { $id: 'Problem' },
);

/** Every tag, in the order of the page, with what it is about. */
const tags = {
  access: 'Tenants, API keys, the audit trail',
  content: 'Templates, senders, documents',
  people: 'Recipients, notification types, choices',
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
  /** Give it with `examples`: they are run by a test. */
  body?: Body & { examples?: unknown[] };
  consumes?: string[];
  /** Successful answers by status. */
  answers: Record<number, TSchema>;
  /** Errors beyond those every route has. */
  errors?: readonly ErrorCode[];
  /** Whether it takes an `Idempotency-Key`; `required` on send requests. */
  idempotency?: 'accepted' | 'required';
  /** Whether `If-Match` is required. */
  conditional?: boolean;
}

function errorsOf(operation: Operation): ErrorCode[] {
  return [
    ...(operation.access === 'public' ? [] : (['unauthenticated', 'forbidden'] as const)),
    'too_many_requests',
    'invalid_query',
    'internal',
    'unavailable',
    ...(operation.params === undefined ? [] : (['not_found'] as const)),
    ...(operation.body === undefined && operation.consumes === undefined
      ? []
      : (['invalid_body', 'invalid_json', 'body_too_large', 'unsupported_media_type'] as const)),
    ...(operation.idempotency === undefined
      ? []
      : (['invalid_header', 'idempotency_in_progress', 'idempotency_key_reused'] as const)),
    ...(operation.idempotency === 'required' ? (['idempotency_key_missing'] as const) : []),
    ...(operation.conditional ? (['precondition_failed', 'precondition_required'] as const) : []),
    ...(operation.errors ?? []),
  ];
}

function problemAnswers(codes: readonly ErrorCode[]): Record<string, unknown> {
  const byStatus = Map.groupBy(new Set(codes), (code) => errorCodes[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      String(status),
      {
        description: list.map((code) => `\`${code}\`: ${errorCodes[code].en}`).join('\n\n'),
        content: { 'application/problem+json': { schema: reference('Problem') } },
      },
    ]),
  );
}

const descriptions: Record<number, string> = { 200: 'Done', 201: 'Created', 202: 'Accepted', 204: 'Done, no content' };

function headersOf(operation: Operation): TObject | undefined {
  const own = operation.headers?.properties ?? {};
  const headers = {
    ...own,
    ...(operation.idempotency === undefined
      ? {}
      : {
          'Idempotency-Key': Type.Optional(
            Type.String({
              description: `${operation.idempotency === 'required' ? 'Required. ' : ''}1 to 255 visible ASCII characters, fresh for each new action: a repeat gets the first answer again.`,
            }),
          ),
        }),
    ...(operation.conditional
      ? { 'If-Match': Type.Optional(Type.String({ description: 'Required. The ETag that was read, or `*`.' })) }
      : {}),
    ...(Array.isArray(operation.access) && operation.tag !== 'service'
      ? { 'On-Behalf-Of': Type.Optional(Type.String({ description: 'Who acts inside the calling application.' })) }
      : {}),
  };
  return Object.keys(headers).length === 0 ? undefined : Type.Object(headers);
}

function accessNote(access: Access): string {
  if (access === 'public') return 'No key needed.';
  if (access === 'platform') return 'Needs the platform key.';
  return `Needs the scope ${access.map((scope) => `\`${scope}\``).join(' or ')}.`;
}

/** A route's schema and configuration from its declaration: the one way routes are described. */
export function operation<
  Params extends TSchema = TUnknown,
  Query extends TSchema = TUnknown,
  Body extends TSchema = TUnknown,
>(
  declaration: Operation<Params, Query, Body>,
): { schema: { params: Params; querystring: Query; body: Body }; config: FastifyContextConfig } {
  const { access, params, query, body } = declaration;
  const headers = headersOf(declaration);
  const answers = Object.entries(declaration.answers).map(([status, schema]) => [
    status,
    { description: descriptions[Number(status)] ?? 'Done', ...(Number(status) === 204 ? { type: 'null' } : schema) },
  ]);
  const schema: Record<string, unknown> = {
    operationId: declaration.id,
    tags: [declaration.tag],
    summary: declaration.summary,
    description: [declaration.description, accessNote(access)].filter(Boolean).join('\n\n'),
    security: access === 'public' ? [] : [{ key: [] }],
    ...(params === undefined ? {} : { params }),
    ...(query === undefined ? {} : { querystring: query }),
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined ? {} : { body }),
    ...(declaration.consumes === undefined ? {} : { consumes: declaration.consumes }),
    response: { ...Object.fromEntries(answers), ...problemAnswers(errorsOf(declaration)) },
  };
  // The types say what was declared; what was not declared is `unknown` to the handler.
  return { schema: schema as unknown as { params: Params; querystring: Query; body: Body }, config: { access } };
}

/** Registers the generator: to be done before any route. */
export async function useOpenapi(app: FastifyInstance, options: { publicUrl: string; version: string }): Promise<void> {
  app.addSchema(Problem);
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Headless notification service',
        version: options.version,
        description: [
          'Writes to people on behalf of business applications: templates, recipients, send requests, validation, sending, and what became of every message.',
          'Statuses: `E` awaiting validation, `V` validated, `OK` sent, `KO` failed, `B` blocked.',
          'Authenticate with `Authorization: Bearer <key>`. Errors are problem documents (RFC 9457) with a stable `code`. Lists take `limit` and `cursor`.',
        ].join('\n\n'),
        license: { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' },
      },
      servers: [{ url: options.publicUrl }],
      tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key.' } } },
    },
    refResolver: {
      buildLocalReference: (json, _baseUri, _fragment, index) =>
        typeof json.$id === 'string' ? json.$id : `schema-${index}`,
    },
  });
}
