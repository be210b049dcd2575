/** What a source answered, as data of keys, and as merge fields. */
import type { FieldShape, FieldsShape } from '../merge-fields/shape.ts';
import { type SourceColumn, type SourceFault, type SourceRows, sourceFault } from './data-sources/driver.ts';
import { portionsOf } from './data-sources/portions.ts';
import type { ExtractionRow } from './store.ts';

/** How rows become fields. */
export type RowShape = Pick<ExtractionRow, 'keyColumn' | 'keyType' | 'listField'>;

/** What an extraction gives for a key. `ambiguous`: several rows where one is wanted. */
export type KeyData = { kind: 'data'; data: Record<string, unknown> } | { kind: 'missing' } | { kind: 'ambiguous' };

const largest = 2n ** 63n;

/** A key as the source has it; null: it can have none such. */
export function sourceKey(key: string, keyType: RowShape['keyType']): string | null {
  if (keyType === 'string') return key;
  if (!/^[+-]?\d{1,30}$/.test(key)) return null;
  const number = BigInt(key.replace('+', ''));
  return number >= -largest && number < largest ? String(number) : null;
}

const keyOf = (value: unknown): string | null =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : null;

/** The rows of each key of the source. Rows of keys that nobody asked for are left out. */
async function groupRows(
  shape: RowShape,
  { columns, rows }: SourceRows,
): Promise<Map<string, Record<string, unknown>[]>> {
  const at = columns.findIndex(({ name }) => name === shape.keyColumn);
  const groups = new Map<string, Record<string, unknown>[]>();
  for await (const portion of portionsOf(rows, columns.length)) {
    for (const row of portion) {
      const key = keyOf(row[at]);
      if (key === null) continue;
      const group = groups.get(key) ?? [];
      groups.set(key, group);
      group.push(Object.fromEntries(columns.map(({ name }, index) => [name, row[index]])));
    }
  }
  return groups;
}

/** Why these columns do not serve the extraction; null: they do. */
export function faultOfKeyColumn({ keyColumn }: RowShape, columns: readonly SourceColumn[]): SourceFault | null {
  if (columns.some(({ name }) => name === keyColumn)) return null;
  const names = columns.map(({ name }) => name).join(', ');
  const message = `the result has no column ${keyColumn}, which is its keyColumn; it has ${names || 'none'}`;
  return sourceFault('column_refused', { message });
}

/** The data of every key that was asked for. */
export async function dataOfKeys(
  shape: RowShape,
  keys: readonly string[],
  answer: SourceRows,
): Promise<Map<string, KeyData>> {
  const groups = await groupRows(shape, answer);
  const found = new Map<string, KeyData>();
  for (const key of keys) {
    const wanted = sourceKey(key, shape.keyType);
    const [first, second] = (wanted === null ? undefined : groups.get(wanted)) ?? [];
    if (wanted === null || first === undefined) found.set(key, { kind: 'missing' });
    else if (shape.listField !== null) {
      found.set(key, { kind: 'data', data: { [shape.listField]: groups.get(wanted) } });
    } else found.set(key, second === undefined ? { kind: 'data', data: first } : { kind: 'ambiguous' });
  }
  return found;
}

function membersOf(fields: FieldsShape | null, listField: string | null): Record<string, FieldShape> {
  if (fields === null) return {};
  return (listField === null ? fields.properties : fields.properties[listField]?.items?.properties) ?? {};
}

/** A field as its column gives it. What people said of it stays, as far as it is still of that type. */
function fieldOf({ field, anyJson = false }: SourceColumn, known: FieldShape | undefined): FieldShape {
  if (known === undefined) return field;
  const { title, description, examples, scope, type, format, properties, items, required } = known;
  const exact = type === field.type || (anyJson && type === 'array');
  const said = { title, description, examples, scope, ...(exact && { type, format, properties, items, required }) };
  // A format that the column has stands before one that was said.
  const told = exact ? { ...field, type } : field;
  return { ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)), ...told };
}

/** The fields that columns give. What people said of a field that was there before stays. */
export function fieldsOf(
  { listField }: Pick<RowShape, 'listField'>,
  columns: readonly SourceColumn[],
  before: FieldsShape | null,
): FieldsShape {
  const known = membersOf(before, listField);
  const properties = Object.fromEntries(columns.map((column) => [column.name, fieldOf(column, known[column.name])]));
  if (listField === null) return { type: 'object', properties };
  const { items: _items, ...list } = before?.properties[listField] ?? { type: 'array' as const };
  return {
    type: 'object',
    properties: { [listField]: { ...list, type: 'array', items: { type: 'object', properties } } },
  };
}
