import { controlCharacter } from '../text-patterns.ts';

const limit = 200;
// Marks that turn the reading direction make `fdp.exe` look like `exe.pdf`.
const directionMarks = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

// How browsers write a line break of a name in a form.
const encodedBreaks = /%0[0ad]/i;

/**
 * Why a file name is refused, or null when it is good: 1 to 200 characters, one path segment, nothing invisible.
 * It is refused rather than repaired: the name that was approved is the name that arrives.
 */
export function filenameFault(name: string): string | null {
  if (name.trim() === '') return 'must not be empty';
  // In a header they would be folded into lines of nothing but spaces (RFC 5322 §3.2.2).
  if (/ {40}/.test(name)) return 'must not contain forty spaces in a row';
  if (name.length > limit) return `must be at most ${limit} characters`;
  if (/[/\\]/.test(name)) return 'must be a name without a path';
  if (name === '.' || name === '..') return 'must not be a folder';
  if (controlCharacter.test(name) || encodedBreaks.test(name))
    return 'must not contain control characters or line breaks';
  if (directionMarks.test(name)) return 'must not contain marks of text direction';
  if (!name.isWellFormed() || name.includes('\ufffd')) return 'must be UTF-8';
  return null;
}
