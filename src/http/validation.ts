import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { FastifyBaseLogger, FastifyInstance, FastifySchemaCompiler, RawServerDefault } from 'fastify';
import { uuidPattern } from '../fields.ts';

/** The API while it is being built: handlers know the types of their body, path and query. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

const instantPattern = /^(\d{4})-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

/** RFC 3339 with an offset, a day that exists, and a year that the database and every calendar can hold. */
export function isInstant(text: string): boolean {
  const match = instantPattern.exec(text);
  if (match === null || Number.isNaN(Date.parse(text))) return false;
  const year = Number(match[1]);
  // Date.parse takes 31 February for 3 March: the day must be the one that was written.
  const day = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  return year >= 1900 && year <= 2200 && day.toISOString().startsWith(text.slice(0, 10));
}

function createAjv(coerceTypes: boolean | 'array'): Ajv2020 {
  const ajv = new Ajv2020({ allErrors: true, coerceTypes, removeAdditional: false, useDefaults: true, strict: false });
  (addFormats as unknown as { default: (ajv: Ajv2020) => void }).default(ajv);
  ajv.addFormat('date-time', isInstant);
  // The library also takes urn:uuid:…, which PostgreSQL does not.
  ajv.addFormat('uuid', uuidPattern);
  ajv.addFormat('binary', true);
  return ajv;
}

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
