/** Styles put onto the elements they are for: many mail programs read no style sheet. */
import juice from 'juice';
import { type MaskedText, maskMarks, unmaskMarks } from './mask.ts';

// Marks are masked here; what juice would take for the marks of other languages may stand in a text.
juice.codeBlocks = {};

/** @throws Error for a style sheet that stands in a condition or a loop: its rules would hold without it. */
function checkSheets({ text, marks, word }: MaskedText): void {
  let depth = 0;
  for (const [found, place] of text.matchAll(new RegExp(`${word.source}|<style[\\s>]`, 'gi'))) {
    const mark = place === undefined ? '' : (marks[Number(place)] ?? '');
    if (/^\{%-?\s*(?:if|unless|case|for|capture)\b/.test(mark)) depth += 1;
    else if (/^\{%-?\s*end/.test(mark)) depth -= 1;
    else if (depth > 0 && found.startsWith('<')) throw new Error('a style sheet stands between tags of Liquid');
  }
}

/** Which elements have a class or an id is then known when a message is rendered only. */
const choosesLater = ({ text, word }: MaskedText) =>
  [...text.matchAll(/\s(?:class|id)\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]+)/gi)].some(
    ([attribute]) => attribute.search(word) >= 0,
  );

/**
 * The HTML with the rules of its `<style>` elements as `style` attributes. What only a style sheet can say (`@media`,
 * `:hover`, a class that a field decides) stays in one. The marks of Liquid stay where they are.
 * @throws Error when the HTML is such that a mark would change its place, or a rule what it holds for.
 */
export function inlineCss(html: string): string {
  const masked = maskMarks(html);
  checkSheets(masked);
  const inlined = juice(masked.text, { removeStyleTags: !choosesLater(masked) });
  return unmaskMarks(inlined, masked, 'same');
}
