import { AppError } from '../errors.ts';

/** Refuses in the path and the query what `parseStrictJson` refuses in texts. */
export function checkPlainText(values: unknown): void {
  for (const [name, value] of Object.entries(values ?? {})) {
    for (const text of Array.isArray(value) ? value : [value]) {
      if (typeof text === 'string' && (text.includes('\u0000') || !text.isWellFormed())) {
        const message = 'must not contain U+0000 or a lone surrogate';
        throw new AppError('invalid_query', {
          detail: `${name} ${message}`,
          items: [{ pointer: `/${name}`, code: 'null_character', message }],
        });
      }
    }
  }
}
