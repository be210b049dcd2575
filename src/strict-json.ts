import { isUtf8 } from 'node:buffer';
import { AppError, escapePointer } from './errors.ts';

/** Deeper than any honest data; shallow enough that no later walk can exhaust the stack. */
const maximumDepth = 32;

function refuse(pointer: string, code: string, message: string): never {
  throw new AppError('invalid_json', {
    detail: `${pointer || '(root)'}: ${message}`,
    items: [{ pointer, code, message }],
  });
}

function checkText(value: string, pointer: string): void {
  // PostgreSQL refuses both in text and jsonb: they must not get that far.
  if (value.includes('\u0000')) refuse(pointer, 'null_character', 'must not contain U+0000');
  if (!value.isWellFormed()) refuse(pointer, 'lone_surrogate', 'must not contain a lone surrogate');
}

function checkValue(value: unknown, pointer: string, depth: number): void {
  if (typeof value === 'string') checkText(value, pointer);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) refuse(pointer, 'number_too_large', 'must be a finite number');
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
      refuse(pointer, 'number_too_large', 'a whole number beyond 2^53 loses digits: send it as a string');
    }
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  if (depth >= maximumDepth) refuse(pointer, 'too_deep', `must not be nested deeper than ${maximumDepth}`);
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) checkValue(item, `${pointer}/${index}`, depth + 1);
    return;
  }
  for (const [name, item] of Object.entries(value)) {
    const inner = `${pointer}/${escapePointer(name)}`;
    checkText(name, pointer);
    // JSON.parse makes it an own property; a later copy into an object literal would not.
    if (name === '__proto__') refuse(inner, 'reserved_name', 'this name is not accepted');
    checkValue(item, inner, depth + 1);
  }
}

/**
 * Parses JSON that comes from outside and refuses what cannot be kept faithfully: invalid UTF-8, U+0000, lone surrogates, numbers
 * that lose digits, `__proto__`, nesting beyond 32.
 * @param depth how deep the value will stand in another.
 * @throws AppError `invalid_json` with the pointer of the first fault.
 */
export function parseStrictJson(bytes: Buffer, depth = 0): unknown {
  if (bytes.length === 0) return undefined;
  if (!isUtf8(bytes)) refuse('', 'invalid_utf8', 'must be UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new AppError('invalid_json', { detail: (error as Error).message.slice(0, 200), cause: error });
  }
  checkValue(value, '', depth);
  return value;
}
