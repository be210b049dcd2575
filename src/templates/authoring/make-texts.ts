/** From what was written, in every language, to the checked texts of a version. */
import type { StoredInlineImage, StoredParts, WrittenTexts } from '../../db/tables/content.ts';
import type { ErrorItem } from '../../errors.ts';
import { convertOldFields } from '../convert/convert.ts';
import { frameOf, imagesOf } from '../layouts/frame-of-layout.ts';
import type { LayoutRow } from '../layouts/store.ts';
import { listVariableUses, type VariableUse } from '../rendering/variables.ts';
import { checkTexts, refuseFaults } from '../version-checks.ts';
import { needsCompiling } from './compile.ts';
import type { Compiler } from './compiler.ts';
import { checkContentChoice, listParts, listWritten, placeOfLanguage, type TextsByLanguage } from './written.ts';

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

function inLiquid(texts: WrittenTexts): WrittenTexts {
  const convert = (text: string) => convertOldFields(text, { syntaxes: ['braces'] }).text;
  const { sections, ...flat } = texts;
  const convertAll = <Texts extends object>(all: Texts): Texts =>
    Object.fromEntries(Object.entries(all).map(([name, text]) => [name, convert(text as string)])) as Texts;
  return { ...convertAll(flat), ...(sections === undefined ? {} : { sections: convertAll(sections) }) };
}

async function compileAll(
  compiler: Compiler,
  { layout, language: own }: AskedTexts,
  texts: TextsByLanguage,
): Promise<Record<string, StoredParts>> {
  const made: Record<string, StoredParts> = {};
  const faults: ErrorItem[] = [];
  for (const [language, written] of Object.entries(texts)) {
    const frame = layout === null || written.sections === undefined ? null : frameOf(layout);
    const result = await compiler.compile({ written, frame, language: language === '' ? own : language });
    if (result.kind === 'texts') made[language] = result.parts;
    else {
      const before = `/${placeOfLanguage(language)}`;
      faults.push(...result.faults.map((fault) => ({ ...fault, pointer: before + fault.pointer.slice(1) })));
    }
  }
  refuseFaults(faults);
  return made;
}

/**
 * Checks what was written, compiles it, and checks what came out: nothing is safe because its parts were.
 * @throws AppError `unprocessable` for a content given in no way or in two; `template_invalid` with every fault;
 * `unavailable`.
 */
export async function makeTexts(compiler: Compiler, asked: AskedTexts): Promise<MadeTexts> {
  checkContentChoice(asked.texts, asked.layout !== null);
  const texts =
    asked.syntax === 'liquid'
      ? asked.texts
      : Object.fromEntries(Object.entries(asked.texts).map(([language, one]) => [language, inLiquid(one)]));
  const to = asked.to !== null && asked.syntax === 'braces' ? inLiquid({ subject: asked.to }).subject : asked.to;
  const written = listWritten(texts, to);
  checkTexts(written);
  const { '': parts, ...locales } = await compileAll(compiler, asked, texts);
  if (parts === undefined) throw new Error('a version without texts of its own');
  const made = Object.entries({ '': parts, ...locales }).flatMap(([language, one]) =>
    listParts(one, placeOfLanguage(language)),
  );
  const compiled = Object.values(texts).some(needsCompiling);
  if (compiled) checkTexts(made);
  const { layout } = asked;
  return {
    columns: {
      ...parts,
      to,
      locales,
      written: compiled ? texts : null,
      layoutId: layout?.id ?? null,
      layoutVersion: layout?.version ?? null,
      inlineImages: layout === null ? [] : imagesOf(layout),
    },
    // What only the layout reads comes last, at its place in the whole.
    uses: listVariableUses([...written, ...made]),
  };
}
