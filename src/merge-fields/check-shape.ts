import { refuseAt } from '../errors.ts';
import { holdToSchema } from '../hold-to-schema.ts';
import { type FieldShape, FieldsSchema, type FieldsShape, listFields } from './shape.ts';

/** What a person can still look through. */
const fieldsAtMost = 1_000;
/** Every check of a template reads all lists and extractions of its tenant. */
const charactersAtMost = 200_000;

/** Objects in a value of any kind, up to one more than is allowed. */
function countObjects(value: unknown, most: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 1;
  for (const inner of Object.values(value)) {
    if (count > most) break;
    count += countObjects(inner, most - count);
  }
  return count;
}

function checkMembers(field: FieldShape, pointer: string): void {
  if (field.properties !== undefined && field.type !== 'object') {
    refuseAt(`${pointer}/properties`, 'not_allowed', 'only an object has properties');
  }
  if (field.items !== undefined && field.type !== 'array') {
    refuseAt(`${pointer}/items`, 'not_allowed', 'only an array has items');
  }
  for (const [name, inner] of Object.entries(field.properties ?? {})) {
    checkMembers(inner, `${pointer}/properties/${name}`);
  }
  if (field.items !== undefined) checkMembers(field.items, `${pointer}/items`);
}

/**
 * Holds a shape of fields to its schema.
 * @param pointer where it stands in the body. @throws AppError `unprocessable` naming the place.
 */
export function checkFieldsShape(shape: FieldsShape, pointer: string): void {
  // Counted before it is held to the schema, which costs some tens of microseconds for each field.
  if (JSON.stringify(shape).length > charactersAtMost) {
    refuseAt(pointer, 'too_large', `has more than ${charactersAtMost} characters`);
  }
  const objects = 3 * fieldsAtMost;
  if (countObjects(shape, objects) > objects) refuseAt(pointer, 'too_many', `has more than ${fieldsAtMost} fields`);
  holdToSchema(FieldsSchema, shape, pointer);
  checkMembers(shape, pointer);
  const count = [...listFields(shape)].length;
  if (count > fieldsAtMost) refuseAt(pointer, 'too_many', `has ${count} fields; ${fieldsAtMost} is the most`);
}
