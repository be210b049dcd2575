/**
 * A query as people write it, taken apart at `:keys`. That it is one statement that only reads is held by the protocol,
 * the transaction and the rights of the source; this finds the place of the parameter, and tells what would never work.
 */

/** The pieces between the parameters, or what is wrong with the text. */
export type SqlText = { kind: 'query'; pieces: string[] } | { kind: 'problem'; line: number; message: string };

export type Dialect = 'postgresql' | 'mariadb';

/** The end of a text that begins at `start`, behind its last character; null: it does not end. */
type Skip = (text: string, start: number) => number | null;

const behind = (text: string, what: string, from: number): number | null => {
  const at = text.indexOf(what, from);
  return at === -1 ? null : at + what.length;
};

const toLineEnd: Skip = (text, start) => behind(text, '\n', start) ?? text.length;

function quoted(quote: string, backslashes: boolean): Skip {
  return (text, start) => {
    for (let at = start + 1; at < text.length; at += 1) {
      if (backslashes && text[at] === '\\') at += 1;
      else if (text[at] === quote && text[at + 1] === quote) at += 1;
      else if (text[at] === quote) return at + 1;
    }
    return null;
  };
}

const nestedComment: Skip = (text, start) => {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const pair = text.slice(at, at + 2);
    if (pair !== '/*' && pair !== '*/') continue;
    depth += pair === '/*' ? 1 : -1;
    at += 1;
    if (depth === 0) return at + 1;
  }
  return null;
};

// Both databases take every character beyond ASCII for a letter of names, blanks and signs too.
const dollarQuoted: Skip = (text, start) => {
  const [tag = ''] =
    /^\$(?:[A-Za-z_\u0080-\u{10ffff}][A-Za-z0-9_\u0080-\u{10ffff}]*)?\$/u.exec(text.slice(start, start + 100)) ?? [];
  return behind(text, tag, start + tag.length);
};

/** What is no code, by how it begins. The first that fits. */
const skips: Record<Dialect, [begins: RegExp, skip: Skip][]> = {
  postgresql: [
    [/--/y, toLineEnd],
    [/\/\*/y, nestedComment],
    [/(?<=(?:^|[^A-Za-z0-9_$\u0080-\u{10ffff}])e)'/iuy, quoted("'", true)],
    [/'/y, quoted("'", false)],
    [/"/y, quoted('"', false)],
    [
      /(?<![A-Za-z0-9_$\u0080-\u{10ffff}])\$(?:[A-Za-z_\u0080-\u{10ffff}][A-Za-z0-9_\u0080-\u{10ffff}]*)?\$/uy,
      dollarQuoted,
    ],
  ],
  mariadb: [
    [/--(?=[\s\u0000-\u001f]|$)|#/y, toLineEnd],
    [/\/\*(?!M?!)/y, (text, start) => behind(text, '*/', start + 2)],
    [/'/y, quoted("'", true)],
    [/"/y, quoted('"', true)],
    [/`/y, quoted('`', false)],
  ],
};

/** What no query may have outside of quotes and comments. */
const refused: Record<Dialect, [pattern: RegExp, message: string][]> = {
  postgresql: [
    [/;/y, 'one statement only, without a semicolon'],
    [/(?<![A-Za-z0-9_$\u0080-\u{10ffff}])\$\d/uy, 'the one parameter is :keys'],
  ],
  mariadb: [
    [/;/y, 'one statement only, without a semicolon'],
    [/\?/y, 'the one parameter is :keys'],
    [/\/\*M?!/y, 'a comment that is carried out is not accepted'],
  ],
};

const keysMark = /(?<!:):keys(?![A-Za-z0-9_\u0080-\u{10ffff}])/uy;

const fits = (pattern: RegExp, text: string, at: number): boolean => {
  pattern.lastIndex = at;
  return pattern.test(text);
};

/** Takes a query apart. What it finds wrong is the first fault, with its line. */
export function readSqlText(text: string, dialect: Dialect): SqlText {
  const problem = (at: number, message: string): SqlText => {
    return { kind: 'problem', line: text.slice(0, at).split('\n').length, message };
  };
  const pieces: string[] = [];
  let pieceAt = 0;
  let depth = 0;
  for (let at = 0; at < text.length; ) {
    const skip = skips[dialect].find(([begins]) => fits(begins, text, at))?.[1];
    if (skip !== undefined) {
      const end = skip(text, at);
      if (end === null) return problem(at, 'a quote or a comment does not end');
      at = end;
      continue;
    }
    const fault = refused[dialect].find(([pattern]) => fits(pattern, text, at))?.[1];
    if (fault !== undefined) return problem(at, fault);
    if (text[at] === '(') depth += 1;
    if (text[at] === ')') depth -= 1;
    if (depth < 0) return problem(at, 'a parenthesis closes what was not opened');
    if (fits(keysMark, text, at)) {
      pieces.push(text.slice(pieceAt, at));
      at += ':keys'.length;
      pieceAt = at;
    } else at += 1;
  }
  if (depth > 0) return problem(text.length, 'a parenthesis does not close');
  if (pieces.length === 0) return problem(0, 'the query does not use :keys');
  return { kind: 'query', pieces: [...pieces, text.slice(pieceAt)] };
}

/**
 * The query inside one that reads at most so many rows of it: only what gives rows can stand there. In lines of its own:
 * a comment at its end must not swallow what follows.
 */
export const wrapped = (query: string, limit: number): string =>
  `select * from (\n${query}\n) as extraction limit ${limit}`;

/** Lines that `wrapped` puts before the query. */
export const linesBefore = 1;
