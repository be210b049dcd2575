import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { TSchema } from 'typebox';
import { type ErrorItem, escapePointer } from './errors.ts';
import { uuidPattern } from './text-patterns.ts';

const instantPattern = /^(\d{4})-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

/** RFC 3339 with an offset, a day that exists, and a year that the database and every calendar can hold. */
export function isInstant(text: string): boolean {
  const match = instantPattern.exec(text);
  if (match === null || Number.isNaN(Date.parse(text))) return false;
  const year = Number(match[1]);
  return year >= 1900 && year <= 2200 && isKnownDay(text.slice(0, 10));
}

/** Date.parse takes 31 February for 3 March: the day must be the one that was written. */
function isKnownDay(text: string): boolean {
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
}

/** A day that exists, in years that the database and every calendar can hold. */
function isDay(text: string): boolean {
  return /^[12]\d{3}-\d{2}-\d{2}$/.test(text) && isKnownDay(text);
}

/** The checker of all schemas. `coerceTypes`: for what is text by nature, as a query is. */
export function createAjv(coerceTypes: boolean | 'array'): Ajv2020 {
  const ajv = new Ajv2020({ allErrors: true, coerceTypes, removeAdditional: false, useDefaults: true, strict: false });
  (addFormats as unknown as { default: (ajv: Ajv2020) => void }).default(ajv);
  ajv.addFormat('date-time', isInstant);
  ajv.addFormat('date', isDay);
  // The library also takes urn:uuid:…, which PostgreSQL does not.
  ajv.addFormat('uuid', uuidPattern);
  ajv.addFormat('binary', true);
  return ajv;
}

/** What the checker says of one place. */
export interface ValidationFault {
  instancePath: string;
  keyword: string;
  message?: string;
  params: Record<string, unknown>;
}

const keywordCodes: Record<string, string> = {
  additionalProperties: 'unknown_field',
  required: 'required',
  type: 'wrong_type',
  enum: 'not_allowed',
  const: 'not_allowed',
  format: 'wrong_format',
  pattern: 'wrong_format',
  minLength: 'too_short',
  maxLength: 'too_long',
  minItems: 'too_few',
  minProperties: 'too_few',
  maxItems: 'too_many',
  uniqueItems: 'repeated',
  minimum: 'too_small',
  maximum: 'too_large',
};

function itemOf(fault: ValidationFault): ErrorItem {
  const { additionalProperty, missingProperty, allowedValues, format } = fault.params;
  const member = additionalProperty ?? missingProperty;
  const pointer = fault.instancePath + (typeof member === 'string' ? `/${escapePointer(member)}` : '');
  const choices = Array.isArray(allowedValues) ? `: ${allowedValues.filter((value) => value !== null).join(', ')}` : '';
  const name = typeof format === 'string' ? ` (${format})` : '';
  return {
    pointer,
    code: keywordCodes[fault.keyword] ?? fault.keyword,
    message: `${fault.message ?? 'is not valid'}${choices}${fault.keyword === 'format' ? name : ''}`,
  };
}

/** Faults as they are told: every one with its pointer. */
export function itemsOf(faults: readonly ValidationFault[]): ErrorItem[] {
  return (
    faults
      // A union says "none of these matched" after each branch has said why.
      .filter(({ keyword }) => !['if', 'anyOf', 'oneOf'].includes(keyword) || faults.length === 1)
      .map(itemOf)
  );
}

/**
 * A check of values that do not come as the body of a request: of each row of a file. Compiled at the first use.
 * @returns what is wrong; empty when nothing is.
 */
export function compileCheck(schema: TSchema): (value: unknown) => ErrorItem[] {
  let validate: ValidateFunction | null = null;
  return (value) => {
    validate ??= createAjv(false).compile(schema);
    return validate(value) ? [] : itemsOf((validate.errors ?? []) as ValidationFault[]);
  };
}
