/** Links whose beginning a constant of the organisation (A8) or the service gives: no message decides where they lead. */
import { replaceMarks } from '../markup/marks.ts';
import { unsubscribeField } from '../rendering/unsubscribe-place.ts';
import { findRiskyMarkup, type RiskyMarkup } from './markup.ts';

const wholeField = /^\{\{-?\s*([\p{L}_][\p{L}\p{N}_-]*)\s*-?\}\}$/u;
const address = /^(?:https?:\/\/|mailto:)/i;

/** The source with a link of the same length in the place of each constant that is an address, and of the service's. */
function withLinks(source: string, constants: Readonly<Record<string, string>>): string {
  return replaceMarks(source, (mark) => {
    const name = wholeField.exec(mark)?.[1] ?? '';
    const isAddress =
      name === unsubscribeField || (Object.hasOwn(constants, name) && address.test(constants[name] ?? ''));
    return isAddress ? '#'.padEnd(mark.length, '#') : mark;
  });
}

/** `findRiskyMarkup`, without the links that lead where a constant or the service says. */
export function findRiskyBeside(constants: Readonly<Record<string, string>>, source: string): RiskyMarkup[] {
  const found = findRiskyMarkup(source);
  if (!found.some(({ code }) => code === 'field_as_link')) return found;
  const stillLed = new Set(
    findRiskyMarkup(withLinks(source, constants)).flatMap(({ code, offset }) =>
      code === 'field_as_link' ? [offset] : [],
    ),
  );
  return found.filter(({ code, offset }) => code !== 'field_as_link' || stillLed.has(offset));
}
