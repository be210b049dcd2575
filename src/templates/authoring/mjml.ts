/** MJML, the markup language for mails, to HTML. */
import mjml2html from 'mjml';
import { maskMarks, unmaskMarks } from './mask.ts';

/** What became of an MJML text. */
export type MjmlResult =
  | { kind: 'html'; html: string }
  | { kind: 'faults'; faults: { line: number; message: string }[] };

/** MJML writes the language of its root element. */
const withLanguage = (mjml: string, language: string) =>
  /<mjml\b[^>]*\slang=/i.test(mjml) ? mjml : mjml.replace(/<mjml\b/i, `<mjml lang="${language}"`);

/**
 * Compiles MJML whose texts have Liquid's marks; a tag between elements stands in an `mj-raw`. Nothing is read from files
 * (`mj-include` is refused), no font is loaded from elsewhere unless the text says so.
 * @param language BCP 47 tag, where the text says none.
 */
export async function compileMjml(mjml: string, language: string): Promise<MjmlResult> {
  if (/<mj-include\b/i.test(mjml)) {
    return { kind: 'faults', faults: [{ line: 1, message: 'mj-include: no files are read' }] };
  }
  const masked = maskMarks(withLanguage(mjml, language));
  const { html, errors } = await mjml2html(masked.text, {
    ignoreIncludes: true,
    validationLevel: 'soft',
    keepComments: false,
    fonts: {},
    useMjmlConfigOptions: false,
  });
  if (errors.length > 0) {
    return { kind: 'faults', faults: errors.slice(0, 100).map(({ line, message }) => ({ line, message })) };
  }
  try {
    return { kind: 'html', html: unmaskMarks(html, masked, 'all') };
  } catch (cause) {
    throw new Error('a field or a tag would get lost: between elements it stands in an mj-raw', { cause });
  }
}
