import type { TextReader } from '../reading/reader.ts';
import { refuseFaults } from '../version-checks.ts';
import type { AskedTexts, MadeTexts } from './make-texts.ts';
import { checkContentChoice } from './written.ts';

/**
 * The texts of a version as they are kept, made in the reading thread.
 * @throws AppError `unprocessable` for a content given in no way or in two; `template_invalid` with every fault.
 */
export async function writeTexts(reader: TextReader, asked: AskedTexts): Promise<MadeTexts> {
  checkContentChoice(asked.texts, asked.layout !== null);
  const result = await reader.run('makeTexts', asked);
  if (result.kind === 'made') return { columns: result.columns, uses: result.uses };
  return refuseFaults(result.faults);
}
