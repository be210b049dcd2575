/** Liquid's marks in the source of a template, without parsing it. */

const closings: Readonly<Record<string, string>> = { '{{': '}}', '{%': '%}' };

/** Tags that write what a field gives, as an output does. */
const writes = /^\{%-?\s*(?:cycle|decrement|echo|increment|liquid)\b/;

/**
 * The source with something else in place of each mark: `{{ … }}` and `{% … %}`. A mark that is never closed is text.
 * Linear: a closing that was not found once is not looked for again.
 */
export function replaceMarks(source: string, replace: (mark: string) => string): string {
  const missing = new Set<string>();
  let written = '';
  let copiedUpTo = 0;
  for (const { index, 0: opening } of source.matchAll(/\{[{%]/g)) {
    const closing = closings[opening] ?? '';
    if (index < copiedUpTo || missing.has(closing)) continue;
    const end = source.indexOf(closing, index + 2);
    if (end === -1) {
      missing.add(closing);
      continue;
    }
    written += source.slice(copiedUpTo, index) + replace(source.slice(index, end + 2));
    copiedUpTo = end + 2;
  }
  return written + source.slice(copiedUpTo);
}

/**
 * The source with one character, again and again, in place of each mark that writes (`{{ … }}`, `{% echo … %}`) and of each
 * other tag: the length stays, and the place of everything else.
 */
export function withMarksAs(source: string, characters: { output: string; tag: string }): string {
  return replaceMarks(source, (mark) => {
    const isOutput = mark.startsWith('{{') || writes.test(mark.slice(0, 40));
    return (isOutput ? characters.output : characters.tag).repeat(mark.length);
  });
}

/** What a person typed: blanks where the marks are. */
export function withoutMarks(source: string): string {
  return withMarksAs(source, { output: ' ', tag: ' ' });
}

/** A character that no text has, for what a field writes. */
export const outputCharacter = '\ue000';

/** The source with what fields write marked by {@link outputCharacter}, and blanks for other tags. */
export function withOutputsMarked(source: string): string {
  return withMarksAs(source.replaceAll(outputCharacter, ' '), { output: outputCharacter, tag: ' ' });
}
