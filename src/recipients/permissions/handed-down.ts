import { sql } from 'drizzle-orm';

/**
 * Where it was said, as consents and choices keep it, of what somebody who left a household keeps of its member's word
 * (M8). It holds while they stand alone. It is not what they said: it never counts beside the word of another member.
 */
export const handedDownSource = 'household';

/** Whether a word was handed down. Callers may name their source alike: what they record has an author. */
export function isHandedDown({ source, author }: { source: string | null; author: string | null }): boolean {
  return source === handedDownSource && author === null;
}

/** The contrary as a condition on the columns `source` and `author` of consents or choices. A constant text. */
export const saidThemselves = sql.raw(`(source is distinct from '${handedDownSource}' or author is not null)`);
