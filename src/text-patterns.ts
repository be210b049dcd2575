/** Patterns of texts that more than schemas look for. Without the schema library, which a thread of templates has no use for. */

/** Ids as PostgreSQL takes them, in either case of letters. */
export const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What one line of text, and a mail header, must not have: control characters and line separators. */
export const controlCharacter = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
