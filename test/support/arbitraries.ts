/** Generators (fast-check) of values for JSON schemas, of values that fail them, and of what no client should send. */
import fc, { type Arbitrary } from 'fast-check';
import type { Schema } from './openapi.ts';

/** Values that are likely to be accepted for a member of this name, e.g. the key of a template that exists. */
export type Hints = Readonly<Record<string, readonly unknown[]>>;

const longest = 60;

function stringOf(schema: Schema): Arbitrary<unknown> {
  const {
    minLength = 0,
    maxLength = Number.POSITIVE_INFINITY,
    pattern,
    format,
    enum: listed,
  } = schema as Record<string, never>;
  if (listed !== undefined) return fc.constantFrom(...(listed as unknown[]));
  if (format === 'uuid') return fc.uuid();
  if (format === 'date-time') {
    const span = { min: new Date('1900-01-01T00:00:00Z'), max: new Date('2200-12-31T00:00:00Z'), noInvalidDate: true };
    return fc.date(span).map((date) => date.toISOString());
  }
  const most = Math.min(maxLength, Math.max(longest, minLength));
  const free = fc.string({ unit: 'grapheme', minLength, maxLength: most });
  if (pattern === undefined) return free;
  const expression = new RegExp(pattern, 'u');
  const fits = (text: string) => text.length >= minLength && text.length <= maxLength && expression.test(text);
  // "No control characters" is easier to meet with ordinary text than from its pattern.
  if (String(pattern).startsWith('^[^')) return free.filter(fits);
  return fc.stringMatching(new RegExp(pattern)).filter(fits);
}

function objectOf(schema: Schema, hints: Hints): Arbitrary<unknown> {
  const {
    properties = {},
    required = [],
    additionalProperties,
  } = schema as {
    properties?: Record<string, Schema>;
    required?: string[];
    additionalProperties?: unknown;
  };
  const names = Object.keys(properties);
  if (names.length === 0 && additionalProperties !== false) {
    return fc.dictionary(fc.string({ maxLength: 12 }), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 4 });
  }
  const model = Object.fromEntries(names.map((name) => [name, valuesOf(properties[name] ?? {}, hints, name)]));
  return fc.record(model, { requiredKeys: required as never[] }).map((value) => ({ ...value }));
}

function typed(schema: Schema, type: unknown, hints: Hints, name: string): Arbitrary<unknown> {
  const { minimum = -1_000, maximum = 1_000, minItems = 0, maxItems = 4, items = {}, uniqueItems } = schema as never;
  switch (type) {
    case 'string':
      return stringOf(schema);
    case 'integer':
      return fc.integer({ min: minimum, max: Math.max(minimum, Math.min(maximum, 2 ** 31 - 1)) });
    case 'number':
      return fc.double({ min: minimum, max: maximum, noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array': {
      const size = { minLength: minItems, maxLength: Math.max(minItems, Math.min(maxItems, 4)) };
      const item = valuesOf(items, hints, name);
      return uniqueItems ? fc.uniqueArray(item, { ...size, selector: String }) : fc.array(item, size);
    }
    case 'object':
      return objectOf(schema, hints);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

/** Values that fit a schema; those of `hints` more often than others. `name` of the member it is. */
export function valuesOf(schema: Schema, hints: Hints, name = ''): Arbitrary<unknown> {
  if ('const' in schema) return fc.constant(schema.const);
  if (Array.isArray(schema.anyOf)) return fc.oneof(...schema.anyOf.map((one) => valuesOf(one as Schema, hints, name)));
  const types = Array.isArray(schema.type) ? schema.type : [schema.type];
  const [first, ...rest] = types.map((type) => typed(schema, type, hints, name));
  const any = first === undefined ? fc.jsonValue() : fc.oneof(first, ...rest);
  const known = schema.type === 'array' ? undefined : hints[name];
  return known === undefined ? any : fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...known) }, any);
}

/** What is put in the place of a good value. */
const wrong: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, '', ' ', -1, 0, 1.5, 1e300, true, [], {}, [[]], { a: 1 }, ['x', 'x']),
  fc.constantFrom(
    'x'.repeat(3_000),
    'A\r\nBcc: x@y.example',
    '\u202etxt',
    '{{ 1 | nothing }}',
    '{% for %}',
    "' or 1=1 --",
  ),
  fc.constantFrom('2026-02-31T00:00:00Z', '1066-01-01T00:00:00Z', '2026-01-01', 'a@b@c.example', 'é'.repeat(200)),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Every place in a value, as the list of names that leads there. */
function placesOf(value: unknown, at: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([name, inner]) => placesOf(inner, [...at, name]))];
}

function changed(value: unknown, place: readonly string[], change: (inner: unknown) => unknown): unknown {
  const [name, ...rest] = place;
  if (name === undefined) return change(value);
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  const next = changed(copy[name], rest, change);
  if (next === undefined) delete copy[name];
  else copy[name] = next;
  return copy;
}

/** A good value with one thing wrong: a member replaced, left out, or one too many. */
export function oneWrong(good: Arbitrary<unknown>): Arbitrary<unknown> {
  return fc
    .tuple(good, fc.nat(), fc.constantFrom('replace', 'drop', 'add'), wrong)
    .map(([value, position, how, other]) => {
      const places = placesOf(value);
      const place = places[position % places.length] ?? [];
      if (how === 'drop' && place.length > 0) return changed(value, place, () => undefined);
      if (how === 'replace') return changed(value, place, () => other);
      const add = (inner: unknown) =>
        typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? { ...inner, surprise: other } : other;
      return changed(value, place, add);
    });
}

const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

/** Bodies that are no acceptable JSON, or are in a trap: sent as they are. `BODY` stands for a good one. */
export const hostilePayloads: readonly (string | Buffer)[] = [
  '',
  '{',
  'null',
  'undefined',
  '[]',
  '"text"',
  '{"a":1,}',
  '\ufeff{}',
  Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
  Buffer.from([0xc0, 0x80]),
  '{"name":"\\ud800"}',
  '{"\\udfff":1}',
  '{"name":"a\\u0000b"}',
  '{"__proto__":{"admin":true}}',
  '{"data":{"__proto__":{"x":1}},"constructor":{"prototype":{"x":1}}}',
  '{"recipients":[{"data":{"constructor":{"prototype":{}},"toString":1,"hasOwnProperty":2}}],"template":"avis-echeance"}',
  deep(31),
  deep(33),
  deep(20_000),
  `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  '{"a":1e999}',
  '{"a":9007199254740993}',
  '{"limit":-0,"a":123456789012345678901234567890}',
  `{"name":"${'x'.repeat(100_000)}"}`,
  `{${Array.from({ length: 2_000 }, (_, index) => `"k${index}":${index}`).join(',')}}`,
  '{"a":1,"a":2}',
];
