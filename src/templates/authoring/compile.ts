/** From what was written to the three texts that are rendered. In the compiler's thread. */
import type { StoredParts, WrittenTexts } from '../../db/tables/templates.ts';
import type { ErrorItem } from '../../errors.ts';
import { type Frame, fillFrame } from '../layouts/frame.ts';
import { hasStyleSheet, inlineCss } from './inline-css.ts';
import { compileMjml } from './mjml.ts';
import { textFromHtml } from './text-from-html.ts';

/** Texts to compile, in one language. */
export interface CompileJob {
  written: WrittenTexts;
  /** With sections only. */
  frame: Frame | null;
  /** BCP 47 tag. */
  language: string;
}

/** What became of them. Pointers of faults begin at the written texts. */
export type CompileResult = { kind: 'texts'; parts: StoredParts } | { kind: 'faults'; faults: ErrorItem[] };

type Html = { kind: 'html'; html: string } | Extract<CompileResult, { kind: 'faults' }>;

/** Whether the texts are not just what was written. */
export function needsCompiling({ html, text, mjml, sections }: WrittenTexts): boolean {
  if (mjml !== undefined || sections !== undefined) return true;
  return html !== undefined && (text === undefined || hasStyleSheet(html));
}

async function htmlOf({ written, frame, language }: CompileJob): Promise<Html> {
  const { html = '', mjml, sections } = written;
  if (mjml !== undefined) {
    const compiled = await compileMjml(mjml, language);
    if (compiled.kind === 'html') return compiled;
    const faults = compiled.faults.map(({ line, message }) => {
      return { pointer: '/mjml', code: 'mjml_invalid', message: `line ${line}: ${message}` };
    });
    return { kind: 'faults', faults };
  }
  if (sections === undefined) return { kind: 'html', html: inlineCss(html) };
  if (frame === null) throw new Error('sections without a frame');
  const filled = fillFrame(frame, sections, language);
  if (filled.kind === 'filled') return { kind: 'html', html: inlineCss(filled.html) };
  const faults = filled.missing.map((name) => {
    return { pointer: `/sections/${name}`, code: 'section_without_place', message: 'has no place in the layout' };
  });
  return { kind: 'faults', faults };
}

/** Compiles the texts of one language. */
export async function compileTexts(job: CompileJob): Promise<CompileResult> {
  const { subject, text, mjml, sections } = job.written;
  try {
    const made = await htmlOf(job);
    if (made.kind === 'faults') return made;
    const { html } = made;
    return { kind: 'texts', parts: { subject, html, text: text ?? textFromHtml(html) } };
  } catch (error) {
    const pointer = mjml !== undefined ? '/mjml' : sections !== undefined ? '/sections' : '/html';
    const message = `cannot be made into a mail: ${(error as Error).message.slice(0, 300)}`;
    return { kind: 'faults', faults: [{ pointer, code: 'not_compiled', message }] };
  }
}
