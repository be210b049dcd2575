/**
 * One record of CSV (RFC 4180) out of bytes.
 *
 * Not a library's: reading goes on at any byte in another process, knows where each row stands in the file, and after a
 * row that is broken goes on with the line after it instead of giving up the file.
 */

/** What stands between cells. */
export const separators = [';', ',', '\t'] as const;

export type Separator = (typeof separators)[number];

/** What was found at a place of a file. `next` is where reading goes on, `breaks` how many lines further that is. */
export type FoundRecord =
  | { kind: 'cells'; cells: readonly Cell[]; next: number; breaks: number }
  | { kind: 'fault'; code: string; message: string; next: number; breaks: number }
  /** Its end is not in these bytes. */
  | { kind: 'partial' };

/** Where a cell stands, without its quotes. */
export interface Cell {
  start: number;
  end: number;
  /** It has quotes that are written twice. */
  doubled: boolean;
}

const quote = 34;
const lineFeed = 10;
const carriageReturn = 13;

/** Where the line after the one of `from` begins; -1: its end is not in these bytes. */
export function nextLine(bytes: Buffer, from: number): number {
  const feed = bytes.indexOf(lineFeed, from);
  const before = feed === -1 ? bytes : bytes.subarray(0, feed);
  const back = before.indexOf(carriageReturn, from);
  if (back === -1) return feed === -1 ? -1 : feed + 1;
  if (back === bytes.length - 1) return -1;
  return bytes[back + 1] === lineFeed ? back + 2 : back + 1;
}

function lineFeeds(bytes: Buffer, start: number, end: number): number {
  let count = 0;
  for (let at = bytes.indexOf(lineFeed, start); at !== -1 && at < end; at = bytes.indexOf(lineFeed, at + 1)) count += 1;
  return count;
}

/** The place behind the closing quote; `end` is -1 when it is not in these bytes. */
function readQuoted(bytes: Buffer, opening: number): Cell {
  let doubled = false;
  for (let from = opening + 1; ; ) {
    const closing = bytes.indexOf(quote, from);
    if (closing === -1) return { start: opening + 1, end: -1, doubled };
    if (bytes[closing + 1] !== quote) return { start: opening + 1, end: closing, doubled };
    doubled = true;
    from = closing + 2;
  }
}

/** The place of the first byte that may end a cell without quotes, or must not stand in it. */
function plainEnd(bytes: Buffer, start: number, separator: number): number {
  let at = start;
  for (; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === separator || byte === lineFeed || byte === carriageReturn || byte === quote) break;
  }
  return at;
}

/** A broken row costs the line on which it begins: the one after it is read as a row. */
function faultAt(bytes: Buffer, start: number, atEnd: boolean, code: string, message: string): FoundRecord {
  const next = nextLine(bytes, start);
  if (next === -1 && !atEnd) return { kind: 'partial' };
  return { kind: 'fault', code, message, next: next === -1 ? bytes.length : next, breaks: 1 };
}

/**
 * Reads the record that begins at `start`. Lines end with CR LF, LF or CR; cells in quotes may have line breaks and
 * doubled quotes; a quote anywhere else is a fault.
 * @param atEnd whether the file ends with these bytes: its last line needs no end.
 */
export function readCsvRecord(bytes: Buffer, start: number, separator: Separator, atEnd: boolean): FoundRecord {
  const between = separator.charCodeAt(0);
  const cells: Cell[] = [];
  let breaks = 0;
  for (let at = start; ; at += 1) {
    let cell: Cell;
    if (bytes[at] === quote) {
      cell = readQuoted(bytes, at);
      const cut = cell.end === -1 || (cell.end === bytes.length - 1 && !atEnd);
      if (cut && !atEnd) return { kind: 'partial' };
      if (cut) return faultAt(bytes, start, atEnd, 'quote_unclosed', 'has a quote that is never closed');
      breaks += lineFeeds(bytes, cell.start, cell.end);
      at = cell.end + 1;
    } else {
      cell = { start: at, end: plainEnd(bytes, at, between), doubled: false };
      at = cell.end;
    }
    cells.push(cell);
    const byte = bytes[at];
    if (byte === between) continue;
    if (byte === lineFeed) return { kind: 'cells', cells, next: at + 1, breaks: breaks + 1 };
    if (byte === carriageReturn) {
      if (at === bytes.length - 1 && !atEnd) return { kind: 'partial' };
      return { kind: 'cells', cells, next: at + (bytes[at + 1] === lineFeed ? 2 : 1), breaks: breaks + 1 };
    }
    if (byte === undefined) return atEnd ? { kind: 'cells', cells, next: at, breaks: breaks + 1 } : { kind: 'partial' };
    return faultAt(bytes, start, atEnd, 'quote_misplaced', 'has a quote that neither opens nor closes a cell');
  }
}

/** The text of a cell. */
export function textOf(
  bytes: Buffer,
  cell: Cell,
  decode: (bytes: Buffer, start: number, end: number) => string,
): string {
  if (cell.start === cell.end) return '';
  const text = decode(bytes, cell.start, cell.end);
  return cell.doubled ? text.replaceAll('""', '"') : text;
}
