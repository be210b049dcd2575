import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { AppError } from './errors.ts';

/**
 * Holds a part of a body to a schema that the route does not know. For small values: the schema is interpreted.
 * @param pointer where it stands in the body. @throws AppError `unprocessable` naming the first places.
 */
export function holdToSchema(schema: TSchema, value: unknown, pointer: string): void {
  const items = Value.Errors(schema, value).map(({ instancePath, message }) => ({
    pointer: `${pointer}${instancePath}`,
    code: 'not_allowed',
    message,
  }));
  const [first] = items;
  if (first !== undefined) throw new AppError('unprocessable', { detail: `${first.pointer} ${first.message}`, items });
}
