import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { Ajv2020, ValidateFunction } from 'ajv/dist/2020.js';
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
 * A check that is compiled when it is first asked: all of them together take a process longer than the rest of its start.
 * One that cannot be compiled answers 500: the tests ask every operation.
 */
function whenFirstAsked(compile: () => ValidateFunction): ReturnType<FastifySchemaCompiler<object>> {
  let validate: ValidateFunction | undefined;
  const check = (value: unknown) => {
    validate ??= compile();
    const holds = validate(value);
    check.errors = validate.errors;
    return holds;
  };
  check.errors = undefined as ValidateFunction['errors'];
  return check as ReturnType<FastifySchemaCompiler<object>>;
}

/**
 * Bodies are taken as they are: no unknown field is dropped and no `"3"` becomes `3`.
 * Path and query are text by nature and are coerced.
 */
export function useStrictValidation(app: FastifyInstance): void {
  const coercing = createAjv('array');
  let strict: Ajv2020 | undefined;
  const forBodies = () => {
    // Nothing is asked before all routes are there: what their bodies refer to is known by then.
    if (strict !== undefined) return strict;
    const made = createAjv(false);
    made.addSchema(Object.values(app.getSchemas()) as object[]);
    strict = made;
    return made;
  };
  const compiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) =>
    whenFirstAsked(() => (httpPart === 'body' ? forBodies() : coercing).compile(schema));
  app.setValidatorCompiler(compiler);
  // Answers are built field by field by presenters, and held against their schemas by tests.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
}
