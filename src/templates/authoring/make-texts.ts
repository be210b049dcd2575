/** From what was written, in every language, to the checked texts of a version. */
import type { StoredInlineImage, StoredParts, WrittenTexts } from '../../db/tables/templates.ts';
import type { ErrorItem } from '../../errors.ts';
import { convertOldFields } from '../convert/convert.ts';
import { frameOf, imagesOf } from '../layouts/frame-of-layout.ts';
import type { LayoutRow } from '../layouts/store.ts';
import { listVariableUses, type VariableUse } from '../rendering/variables.ts';
import { compileTexts, needsCompiling } from './compile.ts';
import { findTooLong, findUnsound } from './unsound.ts';
import { listRendered, listWritten, mapTexts, placeOfLanguage, type TextsByLanguage } from './written.ts';

/** A version's texts as they are asked for. */
export interface AskedTexts {
  /** By language; the empty one is the version's own. */
  texts: TextsByLanguage;
  to: string | null;
  /** With `braces`, `{Adr_Nom}` becomes `{{ Adr_Nom }}` and other braces stay (W1). */
  syntax: 'liquid' | 'braces';
  layout: LayoutRow | null;
  /** Language of the version's own texts: BCP 47 tag. */
  language: string;
}

/** The columns of a version that its texts decide, and the fields that they read. */
export interface MadeTexts {
  columns: StoredParts & {
    to: string | null;
    locales: Record<string, StoredParts>;
    written: Record<string, WrittenTexts> | null;
    layoutId: string | null;
    layoutVersion: number | null;
    inlineImages: StoredInlineImage[];
  };
  uses: VariableUse[];
}

/** What became of texts: pointers of faults are into what was written. */
export type MakingResult = ({ kind: 'made' } & MadeTexts) | { kind: 'faults'; faults: ErrorItem[] };

function inLiquid(texts: WrittenTexts): WrittenTexts {
  const convert = (text: string) => convertOldFields(text, { syntaxes: ['braces'] }).text;
  const { sections, ...flat } = texts;
  const convertAll = <Texts extends object>(all: Texts): Texts =>
    Object.fromEntries(Object.entries(all).map(([name, text]) => [name, convert(text as string)])) as Texts;
  return { ...convertAll(flat), ...(sections === undefined ? {} : { sections: convertAll(sections) }) };
}

async function compileAll({ layout, language: own }: AskedTexts, texts: TextsByLanguage) {
  const made: Record<string, StoredParts> = {};
  const faults: ErrorItem[] = [];
  for (const [language, written] of Object.entries(texts)) {
    const frame = layout === null || written.sections === undefined ? null : frameOf(layout);
    const result = await compileTexts({ written, frame, language: language === '' ? own : language });
    if (result.kind === 'texts') made[language] = result.parts;
    else {
      const before = `/${placeOfLanguage(language)}`;
      faults.push(...result.faults.map((fault) => ({ ...fault, pointer: before + fault.pointer.slice(1) })));
    }
  }
  return { made, faults };
}

const refused = (faults: ErrorItem[]) => ({ kind: 'faults' as const, faults });

/**
 * Reads what was written, compiles it, and reads what came out: nothing is safe because its parts were. In the reading
 * thread.
 */
export async function makeTexts(asked: AskedTexts): Promise<MakingResult> {
  const isOld = asked.syntax === 'braces';
  const texts = isOld ? mapTexts(asked.texts, inLiquid) : asked.texts;
  const to = isOld && asked.to !== null ? inLiquid({ subject: asked.to }).subject : asked.to;
  const written = listWritten(texts, to);
  const unsound = findUnsound(written);
  if (unsound.length > 0) return refused(unsound);
  const { made, faults } = await compileAll(asked, texts);
  if (faults.length > 0) return refused(faults);
  const { '': parts, ...locales } = made;
  if (parts === undefined) throw new Error('a version without texts of its own');
  const compiled = Object.values(texts).some(needsCompiling);
  const rendered = listRendered({ ...parts, locales });
  const spoilt = compiled ? findUnsound(rendered) : [];
  if (spoilt.length > 0) return refused(spoilt);
  // What only the layout reads comes last, at its place in the whole.
  const uses = listVariableUses(compiled ? [...written, ...rendered] : written);
  const tooLong = findTooLong(uses);
  if (tooLong.length > 0) return refused(tooLong);
  const { layout } = asked;
  const pinned = {
    layoutId: layout?.id ?? null,
    layoutVersion: layout?.version ?? null,
    inlineImages: layout === null ? [] : imagesOf(layout),
  };
  return { kind: 'made', uses, columns: { ...parts, to, locales, written: compiled ? texts : null, ...pinned } };
}
