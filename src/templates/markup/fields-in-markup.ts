/**
 * Fields where escaping does not hold: a value outside quotes, in the name of an attribute or of an element would become
 * markup, however it is escaped. Found when a version is saved.
 */
import { readHtml } from './html-tags.ts';
import { outputCharacter as output, replaceMarks, withOutputsMarked } from './marks.ts';
import { createPlaceOf, type Place } from './places.ts';

/** Where a field stands that it must not. */
export interface FieldInMarkup extends Place {
  message: string;
}

const isSignature = (mark: string) => /^\{\{-?\s*sender\.signature\b/.test(mark);

/** The source with blanks for every mark but those of the signature, which is HTML itself. */
function withSignaturesMarked(source: string): string {
  return replaceMarks(source.replaceAll(output, ' '), (mark) => (isSignature(mark) ? output : ' ').repeat(mark.length));
}

/** Finds them in the HTML of a version that parses. In the order of the text. */
export function findFieldsInMarkup(source: string): FieldInMarkup[] {
  const html = withOutputsMarked(source);
  const found: { offset: number; message: string }[] = [];
  for (const { index } of html.matchAll(new RegExp(`</?${output}`, 'g'))) {
    found.push({ offset: index, message: 'a field is the name of an element' });
  }
  readHtml(html, {
    onElement(name, offset) {
      if (name.includes(output)) found.push({ offset, message: 'a field is in the name of an element' });
    },
    onAttribute({ name, value, quoted, offset }) {
      if (name.includes(output)) found.push({ offset, message: 'a field is in a tag, outside an attribute’s value' });
      else if (!quoted && value.includes(output)) {
        found.push({ offset, message: `the value of ${name} has a field and needs quotes` });
      }
    },
  });
  readHtml(withSignaturesMarked(source), {
    onAttribute({ name, value, offset }) {
      if (!value.includes(output)) return;
      found.push({ offset, message: `the signature is HTML: it may not stand in the value of ${name}` });
    },
  });
  const placeOf = createPlaceOf(source);
  return found
    .sort((one, other) => one.offset - other.offset)
    .map(({ offset, message }) => ({ message, ...placeOf(offset) }));
}
