/**
 * Fields where escaping does not hold: a value outside quotes, in the name of an attribute or of an element would become
 * markup, however it is escaped. Found when a version is saved.
 */
import { readHtml } from './html-tags.ts';
import { outputCharacter as output, withOutputsMarked } from './marks.ts';
import { createPlaceOf, type Place } from './places.ts';

/** Where a field stands that it must not. */
export interface FieldInMarkup extends Place {
  message: string;
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
  const placeOf = createPlaceOf(source);
  return found
    .sort((one, other) => one.offset - other.offset)
    .map(({ offset, message }) => ({ message, ...placeOf(offset) }));
}
