import { isAscii, isUtf8 } from 'node:buffer';

/** How the letters of a file are written. Spreadsheets in French write either. */
export type RowEncoding = 'utf-8' | 'windows-1252';

const lineFeed = 10;
const carriageReturn = 13;
/** The most bytes of one character that can be missing at the end of a piece. */
const cutBytes = 3;

/** Whether it is UTF-8, but for a character that is cut at its end. */
function beginsAsUtf8(bytes: Buffer): boolean {
  for (let cut = 0; cut <= cutBytes && cut <= bytes.length; cut += 1) {
    if (isUtf8(bytes.subarray(0, bytes.length - cut))) return true;
  }
  return false;
}

/** Where the line ends, with whichever of its ends comes first; -1: its end is not in these bytes. */
function lineEnd(bytes: Buffer, start: number): number {
  const feed = bytes.indexOf(lineFeed, start);
  const back = (feed === -1 ? bytes : bytes.subarray(0, feed)).indexOf(carriageReturn, start);
  return back === -1 ? feed : back;
}

/**
 * Recognises the encoding of a piece of a file, by all of its lines: the one that most lines with letters beyond ASCII
 * are written in, so that one damaged line does not change how the others are read. Text in Windows-1252 is next to
 * never valid UTF-8.
 * @param bytes from the start of a line; its last line may be cut.
 * @param atEnd whether the file ends with them: then nothing is cut.
 * @returns null: it is all ASCII, and may turn out to be either.
 */
export function recogniseEncoding(bytes: Buffer, atEnd = false): RowEncoding | null {
  if (isAscii(bytes)) return null;
  if (atEnd ? isUtf8(bytes) : beginsAsUtf8(bytes)) return 'utf-8';
  let utf8 = 0;
  let other = 0;
  for (let start = 0; start < bytes.length; ) {
    const end = lineEnd(bytes, start);
    const line = bytes.subarray(start, end === -1 ? bytes.length : end);
    if (!isAscii(line)) {
      if (end === -1 && !atEnd ? beginsAsUtf8(line) : isUtf8(line)) utf8 += 1;
      else other += 1;
    }
    if (end === -1) break;
    start = end + 1;
  }
  return utf8 > other ? 'utf-8' : 'windows-1252';
}

/** Turns bytes of a row into text. */
export type Decode = (bytes: Buffer, start: number, end: number) => string;

const windows1252 = new TextDecoder('windows-1252');

/** How the bytes of a row become text. `null` stands for a file that is all ASCII so far. */
export const decoders: Readonly<Record<RowEncoding | 'ascii', Decode>> = {
  ascii: (bytes, start, end) => bytes.toString('latin1', start, end),
  'utf-8': (bytes, start, end) => bytes.toString('utf8', start, end),
  'windows-1252': (bytes, start, end) => windows1252.decode(bytes.subarray(start, end)),
};

/**
 * Whether the bytes of a row are written as the rest of its file is. Where they are not, no reading of them can be
 * trusted: in a file of Windows-1252 a row in UTF-8 would come out as `HÃ©lÃ¨ne`.
 */
export function isWrittenIn(encoding: RowEncoding, bytes: Buffer): boolean {
  if (isAscii(bytes)) return true;
  return isUtf8(bytes) === (encoding === 'utf-8');
}

/** What a file may begin with to say how it is written (a byte order mark). */
export type Mark = 'utf-8' | 'utf-16le' | 'utf-16be' | null;

/** Reads the mark of a file. */
export function markOf(bytes: Buffer): Mark {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return null;
}

/** Whether a file is UTF-16 without a mark: its first letter, which is ASCII in what has names of columns, has two bytes. */
export function isUnmarkedUtf16(bytes: Buffer): boolean {
  return bytes.length > 1 && (bytes[0] === 0) !== (bytes[1] === 0);
}
