import Type from 'typebox';
import { AppError } from '../errors.ts';
import { closed, nullable, reference } from '../fields.ts';
import type { Secrets } from '../tenants/secrets.ts';

/** Rows of a page where nothing is said. */
export const usualLimit = 50;

/** The query of every list. */
export const pageQuery = {
  limit: Type.Integer({ minimum: 1, maximum: 250, default: usualLimit, description: 'Most rows in the answer.' }),
  cursor: Type.Optional(
    Type.String({ minLength: 1, maxLength: 300, description: 'The `nextCursor` of the page before.' }),
  ),
};

/** A page of a list: `nextCursor` is null on the last one. */
export function pageOf(component: string) {
  return closed({ items: Type.Array(reference(component)), nextCursor: nullable(Type.String()) });
}

/** A page to ask a store for: rows that come after `before` in the list's order. */
export interface Page {
  limit: number;
  before: string | null;
}

function invalidCursor(): AppError {
  return new AppError('invalid_cursor', {
    detail: 'Use nextCursor exactly as it came, with the same list.',
    items: [{ pointer: '/cursor', code: 'invalid_cursor', message: 'is not a cursor of this list' }],
  });
}

/**
 * Reads the page asked for. Asks for one row more than wanted, which `paginate` uses to tell whether there are more.
 * @param list name of the list: a cursor is of no use with another one.
 * @throws AppError `invalid_cursor` when it was changed or belongs elsewhere.
 */
export function readPage(secrets: Secrets, list: string, query: { limit: number; cursor?: string }): Page {
  if (query.cursor === undefined) return { limit: query.limit + 1, before: null };
  const [position = '', signature = '', ...rest] = query.cursor.split('~');
  const before = Buffer.from(position, 'base64url').toString('utf8');
  // One spelling only: the decoder also takes padding, and skips what it does not know.
  const asMade = rest.length === 0 && Buffer.from(before).toString('base64url') === position;
  if (!asMade || !secrets.verify(`${list}:${before}`, signature)) throw invalidCursor();
  return { limit: query.limit + 1, before };
}

/** Cuts what a store answered to a page. */
export function paginate<Row, Item>(
  secrets: Secrets,
  list: string,
  page: Page,
  rows: readonly Row[],
  options: { position(row: Row): string; present(row: Row): Item },
): { items: Item[]; nextCursor: string | null } {
  const shown = rows.slice(0, page.limit - 1);
  const last = shown.at(-1);
  const more = rows.length > shown.length && last !== undefined;
  const position = more ? options.position(last) : '';
  return {
    items: shown.map(options.present),
    nextCursor: more ? `${Buffer.from(position).toString('base64url')}~${secrets.sign(`${list}:${position}`)}` : null,
  };
}
