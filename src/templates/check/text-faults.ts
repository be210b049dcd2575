/** What is wrong with the texts themselves, in the thread: without the fields that are known, and without a sample. */
import { withoutMarks } from '../markup/marks.ts';
import { createPlaceOf, type Place } from '../markup/places.ts';
import type { PlacedText } from '../rendering/variables.ts';
import { findRiskyMarkup, type RiskyMarkup } from './markup.ts';
import { findTypedIn, type TypedIn } from './typed-in.ts';

/** Something that is typed in, or risky, and where. */
export interface TextFault extends Place {
  code: TypedIn['code'] | RiskyMarkup['code'];
  part: string;
  text: string;
}

/** A text with more faults than this needs no longer list. */
const faultsAtMost = 500;

function faultsOf({ place: part, html, source }: PlacedText): TextFault[] {
  const found: (TypedIn | RiskyMarkup)[] = [
    ...findTypedIn(withoutMarks(source)),
    ...(html ? findRiskyMarkup(source) : []),
  ];
  const placeOf = createPlaceOf(source);
  return found
    .sort((one, other) => one.offset - other.offset)
    .slice(0, faultsAtMost)
    .map(({ code, offset, text }) => ({ code, part, ...placeOf(offset), text }));
}

/** Personal data that is typed in and markup that is risky, in the order of the texts. */
export function findTextFaults(texts: readonly PlacedText[]): TextFault[] {
  return texts.flatMap(faultsOf);
}
