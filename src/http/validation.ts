import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyBaseLogger, FastifyInstance, FastifySchemaCompiler, RawServerDefault } from 'fastify';
import { createAjv } from '../schema-check.ts';

/** The API while it is being built: handlers know the types of their body, path and query. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/**
 * Bodies are taken as they are: no unknown field is dropped and no `"3"` becomes `3`.
 * Path and query are text by nature and are coerced.
 */
export function useStrictValidation(app: FastifyInstance): void {
  const strict = createAjv(false);
  const coercing = createAjv('array');
  const compiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) => {
    // Routes are compiled once all are there: what their bodies refer to is known by then.
    for (const component of Object.values(app.getSchemas()) as { $id: string }[]) {
      if (strict.getSchema(component.$id) === undefined) strict.addSchema(component);
    }
    return (httpPart === 'body' ? strict : coercing).compile(schema) as ReturnType<FastifySchemaCompiler<object>>;
  };
  app.setValidatorCompiler(compiler);
  // Answers are built field by field by presenters, and held against their schemas by tests.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
}
