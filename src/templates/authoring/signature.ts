/** The signature of a sender: HTML that somebody formatted, put into mails as it is (M2). */
import { AppError, type ErrorItem } from '../../errors.ts';
import { findRiskyMarkup } from '../check/markup.ts';
import { findFragmentFault } from '../markup/fragment.ts';
import type { TextReader } from '../reading/reader.ts';

/**
 * Checks a signature, and makes its text. Literal: nothing in it is read as a field. It is a whole by itself: what is behind
 * it in a mail is not changed.
 * @throws AppError `unprocessable` for what mail programs refuse, or what reaches beyond its place.
 */
export async function makeSignature(
  reader: TextReader,
  html: string | null,
): Promise<{ signature: string | null; signatureText: string | null }> {
  if (html === null) return { signature: null, signatureText: null };
  const fault = (code: string, message: string): ErrorItem => ({ pointer: '/signature', code, message });
  const unsound = findFragmentFault(html);
  const items = [
    ...findRiskyMarkup(html).map(({ code, text }) => fault(code, `${text} may not stand in a signature`)),
    ...(unsound === null ? [] : [fault('markup_invalid', unsound)]),
    ...(/\{[{%]/.test(html) ? [fault('not_literal', 'has a mark of Liquid, and would be sent as it stands')] : []),
  ];
  if (items[0] !== undefined) throw new AppError('unprocessable', { detail: items[0].message, items });
  return { signature: html, signatureText: await reader.run('makeText', html) };
}
