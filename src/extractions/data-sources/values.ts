/** Values of other systems as merge fields hold them: JSON, nothing lost, nothing that PostgreSQL would refuse to keep. */

/** No number of JavaScript has more digits that count: a longer text is never exactly one. */
const digitsAtMost = 40;

/** Digits without what does not change the number: `-012.50` is `-12.5`. */
function canonical(text: string): string {
  const sign = text.startsWith('-') ? '-' : '';
  const [left = '', right = ''] = text.replace(/^[+-]/, '').split('.', 2);
  let start = 0;
  while (left[start] === '0') start += 1;
  let end = right.length;
  while (right[end - 1] === '0') end -= 1;
  const whole = left.slice(start) || '0';
  const digits = end === 0 ? whole : `${whole}.${right.slice(0, end)}`;
  return digits === '0' ? digits : `${sign}${digits}`;
}

/** A number from its digits, or the digits themselves where a number would not be exactly the same. */
export function readNumber(text: string): number | string {
  if (text.length > digitsAtMost || !/^[+-]?\d*\.?\d*$/.test(text)) return text;
  const number = Number(text);
  const written = String(number);
  return !written.includes('e') && canonical(written) === canonical(text) ? number : text;
}

/** A number that JavaScript may write otherwise: of more digits than it holds, or so small that it writes an exponent. */
const unlikeItsDigits = /(?<=^|[\s:,[-])(?:\d[\d.]{15}|0\.0{6})/;

/** JSON, with numbers that would lose digits as their digits. @throws SyntaxError */
export function readJson(text: string): unknown {
  // Looking at each value takes many times as long as reading them, and holds up the whole process.
  if (!unlikeItsDigits.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_name, value, context?: { source?: string }) => {
    const digits = context?.source;
    return typeof value === 'number' && digits !== undefined && /^-?\d+(\.\d+)?$/.test(digits)
      ? readNumber(digits)
      : value;
  });
}

/** A floating-point number: JSON has no infinity, and it is not lossless anyway. */
export const readFloat = (text: string): number | string => (Number.isFinite(Number(text)) ? Number(text) : text);

/** `2026-01-02 10:00:00` as ISO 8601 writes it; `zone` behind it. What is no date (`infinity`) stays as it is. */
export function readDateTime(text: string, zone: '' | 'Z'): string {
  const [, date, time] = /^(\d{4,6}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(?:\+00)?$/.exec(text) ?? [];
  return date === undefined ? text : `${date}T${time}${zone}`;
}

const deepest = 20;

/** Why a value cannot be that of a merge field; null: it can. */
export function faultOfValue(value: unknown, depth = 0): string | null {
  switch (typeof value) {
    case 'string':
      if (value.includes('\u0000')) return 'it has the character U+0000';
      return value.isWellFormed() ? null : 'it is not well-formed Unicode';
    case 'boolean':
      return null;
    case 'number':
      return Number.isFinite(value) ? null : 'it is no finite number';
    case 'object':
      break;
    default:
      return 'it is no JSON value';
  }
  if (value === null) return null;
  if (ArrayBuffer.isView(value)) return 'it is bytes';
  if (depth >= deepest) return `it is deeper than ${deepest} levels`;
  for (const [name, inner] of Object.entries(value)) {
    const fault =
      name === '__proto__' ? 'it has the name __proto__' : (faultOfValue(name) ?? faultOfValue(inner, depth + 1));
    if (fault !== null) return fault;
  }
  return null;
}
