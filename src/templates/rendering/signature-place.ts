/**
 * A signature is HTML that goes into a text as it is. Where it comes to stand is known when the text is rendered: until then
 * a word stands for it that no data can have.
 */
import { randomBytes } from 'node:crypto';
import { readHtml } from '../markup/html-tags.ts';

/** What texts read as `sender.signature` in HTML. Another one in each thread. */
export const signatureWord = `\ue002${randomBytes(12).toString('hex')}\ue002`;

/** Text in these is none for people, or is read to their end whatever stands in it. */
const notForPeople: ReadonlySet<string> = new Set(['style', 'script', 'title', 'textarea']);

const countIn = (text: string) => text.split(signatureWord).length - 1;

/** Puts the signature where its word stands. @throws Error `unsafe_signature` where it would be more than text. */
export function placeSignature(html: string, signature: string): string {
  const wanted = countIn(html);
  if (wanted === 0) return withoutWord(html);
  let found = 0;
  readHtml(html, {
    onText(element, text) {
      if (!notForPeople.has(element)) found += countIn(text);
    },
  });
  if (found !== wanted) throw new Error('unsafe_signature');
  return withoutWord(html.replaceAll(signatureWord, () => signature));
}

/** A filter may have changed the word: what is left of it is nothing to send. @throws Error `unsafe_signature`. */
function withoutWord(html: string): string {
  if (html.includes(signatureWord.slice(0, 5)) || html.includes(signatureWord.slice(0, 5).toUpperCase())) {
    throw new Error('unsafe_signature');
  }
  return html;
}
