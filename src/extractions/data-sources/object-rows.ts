/** Rows that come as JSON objects. */
import type { FieldShape } from '../../merge-fields/shape.ts';
import { type SourceColumn, type SourceFault, type SourceRows, sourceFault } from './driver.ts';
import { portionsOf } from './portions.ts';
import { faultOfColumns, faultOfSize } from './result.ts';
import { faultOfValue, readJson } from './values.ts';

/** The objects of a JSON array, or why it is none. */
export function objectRows(body: Buffer): Record<string, unknown>[] | SourceFault {
  let value: unknown;
  try {
    value = readJson(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return sourceFault('answer_refused', { message: 'its answer is not JSON in UTF-8' });
  }
  const isObject = (one: unknown): one is Record<string, unknown> =>
    typeof one === 'object' && one !== null && !Array.isArray(one);
  return Array.isArray(value) && value.every(isObject) ? value : sourceFault('answer_refused');
}

function fieldOf(values: readonly unknown[]): FieldShape {
  const types = new Set(
    values.filter((value) => value != null).map((value) => (Array.isArray(value) ? 'array' : typeof value)),
  );
  const [type = 'string'] = types;
  if (types.size !== 1) return { type: 'string' };
  if (type === 'number')
    return { type: values.every((value) => value == null || Number.isInteger(value)) ? 'integer' : 'number' };
  return { type: type as FieldShape['type'] };
}

/** Objects as rows. Members that are absent are null; a member of one is a column of all. */
export async function rowsOf(objects: readonly Record<string, unknown>[]): Promise<SourceRows | SourceFault> {
  const met = new Set<string>();
  for (const object of objects) {
    for (const name of Object.keys(object)) met.add(name);
    // At each: objects of names of their own would make a table as wide as it is long.
    const tooLarge = faultOfSize(met.size, objects.length);
    if (tooLarge !== null) return tooLarge;
  }
  const names = [...met];
  const wrong = faultOfColumns(names);
  if (wrong !== null) return wrong;
  for await (const portion of portionsOf(objects, names.length)) {
    for (const [name, value] of portion.flatMap(Object.entries)) {
      const fault = faultOfValue(value);
      if (fault !== null) {
        return sourceFault('value_refused', { message: `a value of the member ${name} cannot be used: ${fault}` });
      }
    }
  }
  const columns = names.map((name): SourceColumn => ({ name, field: fieldOf(objects.map((object) => object[name])) }));
  const rows = objects.map((object) => names.map((name) => (Object.hasOwn(object, name) ? object[name] : null)));
  return { kind: 'rows', columns, rows };
}
