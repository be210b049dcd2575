/** What is wrong with the texts themselves, in the thread: without the fields that are known, and without a sample. */
import { withoutMarks } from '../markup/marks.ts';
import { createPlaceOf, type Place } from '../markup/places.ts';
import type { PlacedText } from '../rendering/variables.ts';
import { findRiskyBeside } from './led-links.ts';
import type { RiskyMarkup } from './markup.ts';
import { findTypedIn, type TypedIn } from './typed-in.ts';

/** Something that is typed in, or risky, and where. */
export interface TextFault extends Place {
  code: TypedIn['code'] | RiskyMarkup['code'];
  part: string;
  text: string;
}

type Constants = Readonly<Record<string, string>>;

/** A text with more faults than this needs no longer list. */
const faultsAtMost = 500;

function faultsOf({ place: part, html, source }: PlacedText, constants: Constants): TextFault[] {
  const found: (TypedIn | RiskyMarkup)[] = [
    ...findTypedIn(withoutMarks(source)),
    ...(html ? findRiskyBeside(constants, source) : []),
  ];
  const placeOf = createPlaceOf(source);
  return found
    .sort((one, other) => one.offset - other.offset)
    .slice(0, faultsAtMost)
    .map(({ code, offset, text }) => ({ code, part, ...placeOf(offset), text }));
}

/**
 * Personal data that is typed in and markup that is risky, in the order of the texts.
 * @param constants the organisation's: a link that one of them leads is none that a message decides.
 */
export function findTextFaults(texts: readonly PlacedText[], constants: Constants = {}): TextFault[] {
  return texts.flatMap((text) => faultsOf(text, constants));
}
