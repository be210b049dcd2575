import fastifySwagger from '@fastify/swagger';
import type { FastifyContextConfig, FastifyInstance } from 'fastify';
import Type, { type TSchema, type TUnknown } from 'typebox';
import { errorCodes } from '../errors.ts';
import { closed } from '../fields.ts';
import { bodyIsOptional, describeOperation, finishDocument, type Operation, tags } from './openapi-operation.ts';

/** RFC 9457. Further members say more about some errors (the current `status` of a message, say). */
const Problem = Type.Object(
  {
    type: Type.String({ description: 'A name of the code, as a URI.' }),
    title: Type.String({ description: 'What the code means, in the language of the caller.' }),
    status: Type.Integer({ description: 'The HTTP status.' }),
    detail: Type.Optional(Type.String({ description: 'What is wrong with this request.' })),
    instance: Type.String({ description: 'The path that was asked for.' }),
    code: Type.String({ enum: Object.keys(errorCodes), description: 'Stable, never translated.' }),
    errors: Type.Optional(
      Type.Array(
        closed({
          pointer: Type.String({ description: 'Into the body (RFC 6901), or `/` and the name of a parameter.' }),
          code: Type.String(),
          message: Type.String(),
        }),
      ),
    ),
  },
  {
    $id: 'Problem',
    examples: [
      {
        type: 'urn:notification-service:error:unprocessable',
        title: errorCodes.unprocessable.en,
        status: 422,
        detail: 'there is no template avis-echeance',
        instance: '/v1/send-requests',
        code: 'unprocessable',
        errors: [{ pointer: '/template', code: 'template_unknown', message: 'there is no template avis-echeance' }],
      },
    ],
  },
);

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the document says of the route. */
    operation?: Operation;
  }
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
  const schema = {
    ...(params === undefined ? {} : { params }),
    ...(query === undefined ? {} : { querystring: query }),
    ...(body === undefined ? {} : { body }),
  };
  // The types say what was declared; what was not declared is `unknown` to the handler.
  return {
    schema: schema as { params: Params; querystring: Query; body: Body },
    config: { access, operation: declaration },
  };
}

const about = [
  'Writes to people on behalf of business applications: templates, recipients, send requests, validation, sending, and what became of every message.',
  'Statuses: `E` awaiting validation, `V` validated, `OK` sent, `KO` failed, `B` blocked.',
  'Authenticate with `Authorization: Bearer <key>`. Errors are problem documents (RFC 9457) with a stable `code`. Lists take `limit` and `cursor`.',
  'Before any route is found: 404 `not_found` for a path that is none, 431 `headers_too_large`.',
].join('\n\n');

/** Registers the generator: to be done before any route. */
export async function useOpenapi(
  app: FastifyInstance,
  options: { publicUrl: string | null; version: string },
): Promise<void> {
  app.addSchema(Problem);
  app.addHook('preValidation', async (request) => {
    const { operation: declared } = request.routeOptions.config;
    if (declared === undefined || request.body !== undefined) return;
    // A form is a body, and none that is read here.
    if (bodyIsOptional(declared) && !request.isMultipart()) request.body = {};
  });
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Headless notification service',
        version: options.version,
        description: about,
        license: { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' },
      },
      servers: [{ url: options.publicUrl ?? '/' }],
      tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key.' } } },
    },
    transform: ({ schema, url, route }) => {
      const declared = route.config?.operation;
      if (declared === undefined) return { schema: { ...schema, hide: true }, url };
      return { schema: describeOperation(declared, String(route.method), url), url };
    },
    transformObject: (parts) => finishDocument('openapiObject' in parts ? parts.openapiObject : {}),
    refResolver: {
      buildLocalReference: (json, _baseUri, _fragment, index) =>
        typeof json.$id === 'string' ? json.$id : `schema-${index}`,
    },
  });
}
