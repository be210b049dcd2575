/** The texts of a version as their author wrote them, one by one: what is checked, and where faults are told. */
import type { StoredParts, WrittenTexts } from '../../db/tables/templates.ts';
import { invalidField } from '../../errors.ts';
import type { PlacedText } from '../rendering/variables.ts';

/** Texts by language; the empty one is the version's own. */
export type TextsByLanguage = Readonly<Record<string, WrittenTexts>>;

function* textsOf({ subject, html, text, mjml, sections = {} }: WrittenTexts, before: string): Generator<PlacedText> {
  yield { place: `${before}subject`, html: false, source: subject };
  if (text !== undefined) yield { place: `${before}text`, html: false, source: text };
  if (html !== undefined) yield { place: `${before}html`, html: true, source: html };
  if (mjml !== undefined) yield { place: `${before}mjml`, html: true, source: mjml };
  for (const [name, source] of Object.entries(sections)) {
    if (source !== undefined) yield { place: `${before}sections/${name}`, html: true, source };
  }
}

/** Where the texts of a language stand in what was written. */
export const placeOfLanguage = (language: string): string => (language === '' ? '' : `locales/${language}/`);

/** Every text, in the order of languages. @param to the expression of the address, if there is one. */
export function listWritten(texts: TextsByLanguage, to: string | null): PlacedText[] {
  const written = Object.entries(texts).flatMap(([language, one]) => [...textsOf(one, placeOfLanguage(language))]);
  return to === null ? written : [...written, { place: 'to', html: false, source: to }];
}

/** The texts that are rendered, in every language. */
export function listRendered({
  subject,
  text,
  html,
  locales,
}: StoredParts & { locales: Record<string, StoredParts> }): PlacedText[] {
  return Object.entries({ '': { subject, text, html }, ...locales }).flatMap(([language, parts]) => [
    ...textsOf(parts, placeOfLanguage(language)),
  ]);
}

/** A text that is empty was not written. */
const withoutEmpty = ({ subject, text, html }: StoredParts): WrittenTexts => ({
  subject,
  ...(text === '' ? {} : { text }),
  ...(html === '' ? {} : { html }),
});

/** The same languages, with something else of each. */
export const mapTexts = <From, To>(texts: Readonly<Record<string, From>>, change: (from: From) => To) =>
  Object.fromEntries(Object.entries(texts).map(([language, one]) => [language, change(one)]));

/** What a version was made from. A version of before is what was written. */
export function writtenOf(
  version: StoredParts & {
    locales: Record<string, StoredParts>;
    written: Record<string, WrittenTexts> | null;
  },
): Record<string, WrittenTexts> {
  const { subject, text, html, locales } = version;
  return version.written ?? mapTexts({ '': { subject, text, html }, ...locales }, withoutEmpty);
}

/** Everything that a version reads its fields in: what was written first, since faults are told there. */
export function listTexts(version: Parameters<typeof writtenOf>[0] & { to: string | null }): PlacedText[] {
  const written = listWritten(writtenOf(version), version.to);
  return version.written === null ? written : [...written, ...listRendered(version)];
}

/**
 * A text is given in one way: `html` or `text` or both, `mjml`, or `sections`; `text` may go with each.
 * @throws AppError `unprocessable` for none or two, for sections without a layout, for a layout without sections.
 */
export function checkContentChoice(texts: TextsByLanguage, hasLayout: boolean): void {
  let withSections = false;
  for (const [language, { html, text, mjml, sections }] of Object.entries(texts)) {
    const before = `/${placeOfLanguage(language)}`;
    const given = Object.entries({ html, mjml, sections }).filter(([, value]) => value !== undefined);
    if (given.length > 1 || (given.length === 0 && text === undefined)) {
      const names = given.length > 1 ? `not ${given.map(([name]) => name).join(' and ')}` : 'nothing is given';
      throw invalidField(
        `${before}${given[1]?.[0] ?? 'html'}`,
        'content_choice',
        `give html or text, mjml, or sections; ${names}`,
      );
    }
    if (sections !== undefined) {
      withSections = true;
      if (!hasLayout) throw invalidField('/layoutId', 'layout_missing', 'sections need a layout');
      if (Object.keys(sections).length === 0) throw invalidField(`${before}sections`, 'empty', 'has no section');
    }
  }
  if (hasLayout && !withSections) throw invalidField('/layoutId', 'content_choice', 'a layout goes with sections');
}
