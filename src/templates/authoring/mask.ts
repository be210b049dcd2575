/** Liquid's marks taken out of a text while a program that knows HTML only works on it, and put back behind it. */
import { randomBytes } from 'node:crypto';
import { replaceMarks } from '../markup/marks.ts';

/** A text whose marks are words of small letters and digits, which no HTML program changes. */
export interface MaskedText {
  text: string;
  /** What a word stands for. */
  marks: readonly string[];
  /** Finds the words; the first group is the place among `marks`. */
  word: RegExp;
  /** The words of tags only, as a part of an expression. */
  tagWord: string;
}

/** A beginning of words that the text has nowhere: nobody can write one on purpose. */
function freePrefix(source: string): string {
  const text = source.toLowerCase();
  let prefix: string;
  do prefix = `lq${randomBytes(6).toString('hex')}x`;
  while (text.includes(prefix));
  return prefix;
}

/** Takes the marks out. */
export function maskMarks(source: string): MaskedText {
  const prefix = freePrefix(source);
  const marks: string[] = [];
  const text = replaceMarks(source, (mark) => `${prefix}${marks.push(mark) - 1}${mark.startsWith('{%') ? 't' : 'q'}`);
  return { text, marks, word: new RegExp(`${prefix}(\\d+)[qt]`, 'gi'), tagWord: `${prefix}\\d+t` };
}

/**
 * Puts them back, as `write` says. @param expected `same`: each of them once, in their order; `all`: each at least once;
 * `some`: those that are left.
 * @throws Error when they are not as expected: then the program did more than it should.
 */
export function unmaskMarks(
  changed: string,
  { marks, word }: MaskedText,
  expected: 'same' | 'all' | 'some',
  write: (mark: string) => string = (mark) => mark,
): string {
  const places: number[] = [];
  const text = changed.replace(word, (_, digits: string) => {
    const place = Number(digits);
    places.push(place);
    return write(marks[place] ?? '');
  });
  if (expected !== 'some' && new Set(places).size !== marks.length)
    throw new Error('a mark of a field or a tag would get lost');
  if (expected === 'same' && places.some((place, index) => place !== index)) {
    throw new Error('a mark of a field or a tag would change its place');
  }
  return text;
}
