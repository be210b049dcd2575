/** The OpenAPI document as tests use it: its operations, and answers held against what it says. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { escapePointer } from '../../src/errors.ts';
import { openapiDocument } from '../../src/http/document.ts';
import { isInstant } from '../../src/schema-check.ts';
import type { Answer } from './service.ts';

/** A JSON schema, read as data. */
export type Schema = Record<string, unknown>;

/** A parameter of an operation. */
export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  description?: string;
  schema: Schema;
}

/** A media type of a body. */
export interface Media {
  schema?: Schema;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}

interface Content {
  description?: string;
  content?: Record<string, Media>;
  headers?: Record<string, unknown>;
}

interface Written {
  operationId: string;
  tags?: string[];
  summary?: string;
  description?: string;
  security?: unknown[];
  parameters?: Parameter[];
  requestBody?: Content & { required?: boolean };
  responses: Record<string, Content>;
}

/** The document, as far as tests read it. */
export interface Document {
  openapi: string;
  info: { description: string };
  tags: { name: string; description?: string }[];
  paths: Record<string, Record<string, Written>>;
  components: { schemas: Record<string, Schema> };
}

/** An operation with where it is. */
export interface DocumentedOperation extends Written {
  id: string;
  method: string;
  path: string;
  /** Every request example, in order. */
  examples: unknown[];
}

function examplesOf(written: Written): unknown[] {
  return Object.values(written.requestBody?.content ?? {}).flatMap(({ example, examples }) => [
    ...(example === undefined ? [] : [example]),
    ...Object.values(examples ?? {}).map(({ value }) => value),
  ]);
}

/** Reads the document that the routes make. */
export async function readDocument(): Promise<Document> {
  return JSON.parse(JSON.stringify(await openapiDocument())) as Document;
}

/** Its operations. */
export function operationsOf(document: Document): DocumentedOperation[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, written]) => ({
      ...written,
      id: written.operationId,
      method: method.toUpperCase(),
      path,
      examples: examplesOf(written),
    })),
  );
}

/** An ajv that knows the document's components and formats. */
export function documentAjv(document: Document): Ajv2020 {
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  (addFormats as unknown as { default: (ajv: Ajv2020) => void }).default(ajv);
  ajv.addFormat('date-time', isInstant);
  ajv.addSchema({ ...document, $id: 'document' }, 'document');
  return ajv;
}

/** What a documented answer is held against. */
export interface AnswerChecker {
  /** What is wrong with an answer of an operation, in words; null: it is as documented. */
  faultOf(operation: DocumentedOperation, answer: Answer): string | null;
}

const mediaTypeOf = (header: unknown) => String(header ?? '').split(';', 1)[0] ?? '';

/** Holds answers against the document: status, media type, required headers, body with no field beyond its schema. */
export function createAnswerChecker(document: Document): AnswerChecker {
  const ajv = documentAjv(document);
  const compiled = new Map<string, ValidateFunction>();
  const validatorOf = (pointer: string) => {
    const known = compiled.get(pointer) ?? ajv.compile({ $ref: `document#${pointer}` });
    compiled.set(pointer, known);
    return known;
  };
  const pointerPart = (part: string) => encodeURIComponent(escapePointer(part));
  return {
    faultOf(operation, answer) {
      const said = operation.responses[String(answer.status)];
      if (said === undefined) return `the status ${answer.status} is not documented: ${JSON.stringify(answer.body)}`;
      if (said.content === undefined) return answer.raw.length === 0 ? null : 'a body where none is documented';
      const mediaType = mediaTypeOf(answer.headers['content-type']);
      if (said.content[mediaType] === undefined) return `the media type ${mediaType} is not documented`;
      if (!mediaType.endsWith('json')) return null;
      const parts = ['paths', operation.path, operation.method.toLowerCase(), 'responses', String(answer.status)];
      const validate = validatorOf(`/${[...parts, 'content', mediaType, 'schema'].map(pointerPart).join('/')}`);
      if (!validate(answer.body)) return `the body is not as documented: ${ajv.errorsText(validate.errors)}`;
      if (answer.status < 400) return null;
      const { code, status } = answer.body as { code: string; status: number };
      if (status !== answer.status) return `the problem says ${status} in an answer ${answer.status}`;
      return said.description?.includes(`\`${code}\``) ? null : `the code ${code} is not documented for ${status}`;
    },
  };
}
