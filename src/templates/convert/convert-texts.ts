import { parseTemplateParts, TEMPLATE_PARTS, type TemplateParts, type TemplateProblem } from '../rendering/liquid.ts';
import { type ConvertedField, convertOldFields, type OldSyntax } from './convert.ts';

/** Texts in Liquid, what became of each field, and why a part could not be saved as it is now. */
export type ConvertedTexts = Partial<TemplateParts> & {
  fields: (ConvertedField & { part: keyof TemplateParts })[];
  problems: TemplateProblem[];
};

/** Converts the texts of a template that are given, and parses what came of them. @param syntaxes default: all. */
export function convertTexts(texts: Partial<TemplateParts>, syntaxes?: readonly OldSyntax[]): ConvertedTexts {
  const parts = TEMPLATE_PARTS.flatMap((part) => {
    const text = texts[part];
    if (text === undefined) return [];
    const options = { html: part === 'html', ...(syntaxes === undefined ? {} : { syntaxes }) };
    return [{ part, ...convertOldFields(text, options) }];
  });
  const converted = Object.fromEntries(parts.map(({ part, text }) => [part, text]));
  const parsed = parseTemplateParts({ subject: '', text: '', html: '', ...converted });
  return {
    ...converted,
    fields: parts.flatMap(({ part, fields }) => fields.map((field) => ({ part, ...field }))),
    problems: parsed.kind === 'problems' ? parsed.problems : [],
  };
}
