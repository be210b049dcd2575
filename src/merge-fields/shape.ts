/** What merge fields there are, as JSON Schema: declared by a template version, or offered by a list of fields. */
import Type from 'typebox';
import type { FieldShape, FieldsShape } from '../db/tables/merge-fields.ts';
import { words } from '../fields.ts';
import { type PathStep, stepsOf } from './path.ts';

export type { FieldShape, FieldsShape } from '../db/tables/merge-fields.ts';

/** Names that Liquid can write behind a point. */
const fieldName = '^[\\p{L}_][\\p{L}\\p{N}_-]{0,99}$';

const fieldNamePattern = new RegExp(fieldName, 'u');

/** Whether a text can be the name of a field. */
export const isFieldName = (name: string): boolean => fieldNamePattern.test(name);

const Field = Type.Object(
  {
    type: words(['string', 'number', 'integer', 'boolean', 'object', 'array']),
    title: Type.Optional(Type.String({ maxLength: 200 })),
    description: Type.Optional(Type.String({ maxLength: 2_000 })),
    format: Type.Optional(words(['date', 'date-time', 'email', 'uri'])),
    examples: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 20 })),
    scope: Type.Optional(words(['individual', 'shared'])),
    properties: Type.Optional(
      Type.Record(Type.String({ pattern: fieldName }), Type.Ref('Field'), { additionalProperties: false }),
    ),
    items: Type.Optional(Type.Ref('Field')),
    required: Type.Optional(Type.Array(Type.String(), { maxItems: 1_000 })),
  },
  { additionalProperties: false },
);

/** The schema that every shape of fields is held to: an object whose members are fields, as deep as wanted. */
export const FieldsSchema = Type.Cyclic(
  {
    Field,
    Fields: Type.Object(
      {
        type: words(['object']),
        properties: Type.Record(Type.String({ pattern: fieldName }), Type.Ref('Field'), {
          additionalProperties: false,
        }),
        required: Type.Optional(Type.Array(Type.String(), { maxItems: 1_000 })),
      },
      { additionalProperties: false },
    ),
  },
  'Fields',
);

/** A field with its whole path; `[]` stands for each member of a list. */
export interface FieldEntry {
  path: string;
  field: FieldShape;
}

function* membersOf(field: FieldShape, path: string): Generator<FieldEntry> {
  if (field.items !== undefined) yield* membersOf(field.items, `${path}[]`);
  else yield* listFields(field, path);
}

/** Every field of a shape, the inner ones behind the outer. */
export function* listFields(shape: FieldsShape | FieldShape, path = ''): Generator<FieldEntry> {
  for (const [name, field] of Object.entries(shape.properties ?? {})) {
    const own = path === '' ? name : `${path}.${name}`;
    yield { path: own, field };
    yield* membersOf(field, own);
  }
}

/** What Liquid answers of every list and text. */
const alwaysThere: ReadonlySet<PathStep> = new Set(['size', 'first', 'last']);

function memberOf(field: FieldShape, step: PathStep): FieldShape | 'anything' | null {
  if (field.type === 'array') {
    if (step === 'size') return { type: 'integer' };
    if (typeof step === 'string' && !alwaysThere.has(step)) return null;
    return field.items ?? 'anything';
  }
  if (field.type !== 'object') return step === 'size' ? { type: 'integer' } : null;
  // Nor does an object without a description forbid anything; and which member it is may depend on the data.
  if (field.properties === undefined || step === null) return 'anything';
  const name = String(step);
  return (Object.hasOwn(field.properties, name) ? field.properties[name] : null) ?? null;
}

/** Whether a template may read this path. Of a field without members, nothing more. */
export function isFieldOf(shape: FieldsShape, path: string): boolean {
  let field: FieldShape = shape;
  for (const step of stepsOf(path)) {
    const member = memberOf(field, step);
    if (member === 'anything') return true;
    if (member === null) return false;
    field = member;
  }
  return true;
}
