import Type, { type TProperties, type TSchema, type TSchemaOptions } from 'typebox';
import { controlCharacter } from './text-patterns.ts';

/** Shapes that many resources share, as JSON Schema (2020-12, as OpenAPI 3.1 has it). */

/** A value or null. */
export function nullable<const Schema extends TSchema>(schema: Schema) {
  const type = (schema as { type?: unknown }).type;
  if (typeof type === 'string') {
    const listed = (schema as { enum?: unknown[] }).enum;
    return Type.Unsafe<Type.Static<Schema> | null>({
      ...schema,
      type: [type, 'null'],
      ...(listed ? { enum: [...listed, null] } : {}),
    });
  }
  return Type.Unsafe<Type.Static<Schema> | null>({ anyOf: [schema, { type: 'null' }] });
}

/** What stands in a line of text, by the name of its field, in the examples of the document. */
const lineExamples: Readonly<Record<string, string>> = {
  context: 'D-2026-000123',
  contextType: 'dossier',
  displayName: 'Jeanne D’Hérouville',
  driver: 'smtp',
  extraction: 'beneficiaires',
  family: 'Échéances',
  fromName: 'Service gestion',
  origin: 'api',
  osUser: 'COURTAGE\\mmartin',
  ref: 'D-2026-000123',
  sender: 'gestion',
  source: 'Fiche client',
  subject: 'Votre échéance du 1er janvier 2027',
  template: 'avis-echeance',
  title: 'Avis d’échéance',
  type: 'dossier',
  unit: 'Agence de Lyon',
  user: 'mmartin',
  workstation: 'POSTE-12',
};
const anyLine = ['Courtage Dupont'];

/** An object that refuses unknown fields. */
export function closed<Properties extends TProperties>(properties: Properties, options: TSchemaOptions = {}) {
  const shown = Object.entries(properties).map(([name, schema]) => {
    const example = lineExamples[name.split('.').at(-1) ?? name];
    const unsaid = (schema as { examples?: unknown }).examples === anyLine;
    if (!unsaid || example === undefined) return [name, schema];
    // With its hidden marks: that it is optional is one.
    const copy = Object.defineProperties({}, Object.getOwnPropertyDescriptors(schema));
    return [name, Object.assign(copy, { examples: [example] })];
  });
  return Type.Object(Object.fromEntries(shown) as Properties, { ...options, additionalProperties: false });
}

/** One of a few words. */
export function words<const Words extends readonly string[]>(values: Words, options: TSchemaOptions = {}) {
  return Type.Unsafe<Words[number]>({ type: 'string', enum: [...values], ...options });
}

/** An id given by the service (UUIDv7). */
export const Uuid = Type.String({ format: 'uuid' });

/** An instant, RFC 3339, from 1900 to 2200. */
export const Instant = Type.String({ format: 'date-time' });

/** One line of text: no control characters, so that it can stand in a header or a table. */
export function line(maxLength: number, options: TSchemaOptions & { minLength?: number } = {}) {
  return Type.String({
    minLength: 1,
    maxLength,
    pattern: `^${controlCharacter.source.replace('[', '[^')}*$`,
    // Readers of the document would otherwise be shown whatever matches the pattern.
    examples: anyLine,
    ...options,
  });
}

/** A name that callers choose and refer to: letters, digits, and `. _ -`. */
export function key(options: TSchemaOptions = {}) {
  const pattern = '^[A-Za-z0-9][A-Za-z0-9._-]*$';
  return Type.String({ minLength: 1, maxLength: 100, pattern, examples: ['avis-echeance'], ...options });
}

/** When a resource was made and last changed. */
export const lifetimeFields = { createdAt: Instant, updatedAt: Instant };

/** A reference to a component of the OpenAPI document. */
export function reference(name: string): TSchema {
  return Type.Unsafe<unknown>({ $ref: `${name}#` });
}
