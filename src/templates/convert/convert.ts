/** Turns merge fields of older applications into Liquid: `${field}`, `$(field)`, `{Adr_Nom}`, `[URL_PJ_WEB]`. */
import { decodeHTML } from 'entities';
import { liquidOf, readFieldPath } from './field-path.ts';

/** The old ways of writing a field: `${…}` and `$(…)` (J2, M4), `{Adr_Nom}` (W1), `[URL_PJ_WEB]` (A8). */
export const oldSyntaxes = ['dollar', 'braces', 'brackets'] as const;

export type OldSyntax = (typeof oldSyntaxes)[number];

/** What became of a field, once for all places where it is written the same way. */
export interface ConvertedField {
  /** As it was written. */
  field: string;
  /** What stands there now; null: it stays as it was. */
  liquid: string | null;
  outcome: 'converted' | 'renamed' | 'not_understood';
  /** Line of the first place, from 1. */
  line: number;
  /** In how many places. */
  count: number;
}

/** A converted text. */
export interface Conversion {
  text: string;
  fields: ConvertedField[];
}

/** Where something begins that may be a field, or must be left alone. */
const opening = /\{\{|\{%|<style\b|\$[{(]|\[URL_|\{/gi;
const braceField = /\{[A-Za-z][A-Za-z0-9_]{0,99}\}/y;
const bracketField = /\[URL_[A-Z0-9_]{1,60}\]/y;
/** A field is written on one line and holds no other one. */
const longestInside = 300;

/** What was found at an opening: where it ends, and the field's inside; null: something that is left alone. */
interface Found {
  end: number;
  inside: string | null;
}

/** What is left alone ends here. */
const closings: Readonly<Record<string, RegExp>> = { '{{': /\}\}/g, '{%': /%\}/g, '<style': /<\/style/gi };

/** Finds the end of what is left alone. Where nothing closes it, it is looked for only once: the cost stays linear. */
function createSkipper(text: string): (closing: RegExp, from: number) => Found | null {
  const absent = new Set<RegExp>();
  return (closing, from) => {
    if (absent.has(closing)) return null;
    closing.lastIndex = from;
    if (closing.test(text)) return { end: closing.lastIndex, inside: null };
    absent.add(closing);
    return null;
  };
}

function readDollar(text: string, start: number): Found | null {
  const closing = text[start + 1] === '{' ? '}' : ')';
  const window = text.slice(start + 2, start + 2 + longestInside);
  const length = window.search(/[{}()\n\r]/);
  if (length <= 0 || window[length] !== closing) return null;
  return { end: start + 2 + length + 1, inside: window.slice(0, length) };
}

function readMarked(pattern: RegExp, text: string, start: number): Found | null {
  pattern.lastIndex = start;
  const [written] = pattern.exec(text) ?? [];
  return written === undefined ? null : { end: start + written.length, inside: written.slice(1, -1) };
}

function readBraces(text: string, start: number): Found | null {
  const found = readMarked(braceField, text, start);
  // `{{a}` and `{a}}` are halves of something else.
  return found === null || text[start - 1] === '{' || text[found.end] === '}' ? null : found;
}

function createReader(
  text: string,
  syntaxes: ReadonlySet<OldSyntax>,
): (opening: string, start: number) => Found | null {
  const skip = createSkipper(text);
  return (opening, start) => {
    const closing = closings[opening];
    if (closing !== undefined) return skip(closing, start + opening.length);
    if (opening.startsWith('$')) return syntaxes.has('dollar') ? readDollar(text, start) : null;
    if (opening === '{') return syntaxes.has('braces') ? readBraces(text, start) : null;
    return syntaxes.has('brackets') ? readMarked(bracketField, text, start) : null;
  };
}

function convertField(inside: string, html: boolean): Pick<ConvertedField, 'liquid' | 'outcome'> {
  // Editors of HTML write `à` as `&agrave;`, also in the format of a date.
  const field = readFieldPath((html ? decodeHTML(inside) : inside).replaceAll('\u00a0', ' '));
  if (field === null) return { liquid: null, outcome: 'not_understood' };
  return { liquid: liquidOf(field), outcome: field.renamed ? 'renamed' : 'converted' };
}

/**
 * Converts the fields of one text, for use once, when it is imported. What is Liquid already, style sheets and every other
 * brace, bracket and dollar stay as they are; a `${…}` or `$(…)` that is no field stays too, and is told. Linear in the
 * length.
 * @param options.html whether entities stand for letters. Default: no.
 * @param options.syntaxes those to look for. Default: all.
 */
export function convertOldFields(
  text: string,
  { html = false, syntaxes = oldSyntaxes }: { html?: boolean; syntaxes?: readonly OldSyntax[] } = {},
): Conversion {
  const read = createReader(text, new Set(syntaxes));
  const fields = new Map<string, ConvertedField>();
  let converted = '';
  let copiedUpTo = 0;
  let line = 1;
  let countedUpTo = 0;
  const openings = new RegExp(opening);
  for (let at = openings.exec(text); at !== null; at = openings.exec(text)) {
    const { index } = at;
    const found = read(at[0].toLowerCase(), index);
    openings.lastIndex = found?.end ?? index + 1;
    if (found === null || found.inside === null) continue;
    const field = text.slice(index, found.end);
    for (; countedUpTo < index; countedUpTo += 1) if (text[countedUpTo] === '\n') line += 1;
    const known = fields.get(field) ?? { field, ...convertField(found.inside, html), line, count: 0 };
    known.count += 1;
    fields.set(field, known);
    if (known.liquid === null) continue;
    converted += text.slice(copiedUpTo, index) + known.liquid;
    copiedUpTo = found.end;
  }
  return { text: converted + text.slice(copiedUpTo), fields: [...fields.values()] };
}
