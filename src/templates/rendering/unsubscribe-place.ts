/**
 * The link to unsubscribe in texts. It is a secret of one message and depends on where the service is reached, so it is no
 * part of what a person approves: a word stands for it while the texts are rendered, and the link is put in behind the
 * content hash.
 */
import { randomBytes } from 'node:crypto';
import { LONGEST_OUTPUT, TEMPLATE_PARTS, type TemplatePart, type TemplateParts } from './liquid.ts';

/** The field by which texts read the link. */
export const unsubscribeField = 'unsubscribe_url';

/** What texts read as the link to unsubscribe where there is no message to unsubscribe from. */
export const sampleUnsubscribeUrl = 'https://notifications.example/u/sample';

const mark = randomBytes(12).toString('hex');

/** What texts read as the link: a link itself, that no data can have. Another one in each thread. */
export const unsubscribeWord = `https://${mark}.invalid/`;

/** What is hashed in its place. It must never change: approvals that are kept depend on it. */
const hashedLink = 'urn:unsubscribe';

/** What is left of the word when a filter has cut it: either end, in either case. */
const remains = [mark.slice(0, 12), mark.slice(-12)].flatMap((part) => [part, part.toUpperCase()]);

const encodedWord = encodeURIComponent(unsubscribeWord);

const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

function replaceWord(text: string, written: string, encoded: string): string {
  if (!text.includes(mark)) return text;
  // As it is, and as a part of another link (`url_encode`).
  return text.replaceAll(unsubscribeWord, () => written).replaceAll(encodedWord, () => encoded);
}

const mapParts = (parts: TemplateParts, map: (text: string, part: TemplatePart) => string): TemplateParts => ({
  subject: map(parts.subject, 'subject'),
  text: map(parts.text, 'text'),
  html: map(parts.html, 'html'),
});

/** The texts with something fixed in the places of the link: what is hashed. */
export function withoutLink(parts: TemplateParts): TemplateParts {
  return mapParts(parts, (text) => replaceWord(text, hashedLink, hashedLink));
}

/**
 * Puts the link in its places, escaped in HTML; its time is in proportion to the texts.
 * @returns `changed_link` when a filter has made something else of it, `too_large` beyond the limit of a part.
 */
export function placeUnsubscribeLink(
  parts: TemplateParts,
  link: string,
): { kind: 'placed'; parts: TemplateParts } | { kind: 'template_error'; part: TemplatePart; message: string } {
  const encoded = encodeURIComponent(link);
  const placed = mapParts(parts, (text, part) => replaceWord(text, part === 'html' ? escapeHtml(link) : link, encoded));
  for (const part of TEMPLATE_PARTS) {
    const text = placed[part];
    if (remains.some((part) => text.includes(part))) {
      return { kind: 'template_error', part, message: 'changed_link' };
    }
    if (text.length > LONGEST_OUTPUT) return { kind: 'template_error', part, message: 'too_large' };
  }
  return { kind: 'placed', parts: placed };
}
