/** Styles put onto the elements they are for: many mail programs read no style sheet. */
import juice from 'juice';
import { maskMarks, unmaskMarks } from './mask.ts';

// Marks are masked here; what juice would take for the marks of other languages may stand in a text.
juice.codeBlocks = {};

/** Whether a text has anything to put. */
export const hasStyleSheet = (html: string): boolean => /<style[\s>]/i.test(html);

/**
 * The HTML with the rules of its `<style>` elements as `style` attributes. What only a style sheet can say (`@media`,
 * `:hover`) stays in one. The marks of Liquid stay where they are.
 * @throws Error when the HTML is such that a mark would change its place.
 */
export function inlineCss(html: string): string {
  if (!hasStyleSheet(html)) return html;
  const masked = maskMarks(html);
  return unmaskMarks(juice(masked.text), masked, 'same');
}
