/**
 * From what was written to the three texts that are rendered. In the reading thread, which loads each of the programs that
 * do it when a text needs it first: together they take most of a second.
 */
import type { StoredParts, WrittenTexts } from '../../db/tables/templates.ts';
import type { ErrorItem } from '../../errors.ts';
import { type Frame, fillFrame } from '../layouts/frame.ts';

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

/** Whether a text has rules to put onto its elements. */
const hasStyleSheet = (html: string): boolean => /<style[\s>]/i.test(html);

async function withStyles(html: string): Promise<string> {
  if (!hasStyleSheet(html)) return html;
  return (await import('./inline-css.ts')).inlineCss(html);
}

/** The text of HTML. @throws Error where a condition would be lost, or the HTML is nested too deep to be read. */
export async function makeText(html: string): Promise<string> {
  return html === '' ? '' : (await import('./text-from-html.ts')).textFromHtml(html);
}

/** Whether the texts are not just what was written. */
export function needsCompiling({ html, text, mjml, sections }: WrittenTexts): boolean {
  if (mjml !== undefined || sections !== undefined) return true;
  return html !== undefined && (text === undefined || hasStyleSheet(html));
}

async function htmlOf({ written, frame, language }: CompileJob): Promise<Html> {
  const { html = '', mjml, sections } = written;
  if (mjml !== undefined) {
    const compiled = await (await import('./mjml.ts')).compileMjml(mjml, language);
    if (compiled.kind === 'html') return compiled;
    const faults = compiled.faults.map(({ line, message }) => {
      return { pointer: '/mjml', code: 'mjml_invalid', message: `line ${line}: ${message}` };
    });
    return { kind: 'faults', faults };
  }
  if (sections === undefined) return { kind: 'html', html: await withStyles(html) };
  if (frame === null) throw new Error('sections without a frame');
  const filled = fillFrame(frame, sections, language);
  if (filled.kind === 'filled') return { kind: 'html', html: await withStyles(filled.html) };
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
    const said = text ?? (await makeText(html));
    if (said === '' && !/<img\b/i.test(html)) throw new Error('it says nothing');
    return { kind: 'texts', parts: { subject, html, text: said } };
  } catch (error) {
    const pointer = mjml !== undefined ? '/mjml' : sections !== undefined ? '/sections' : '/html';
    const message = `cannot be made into a mail: ${(error as Error).message.slice(0, 300)}`;
    return { kind: 'faults', faults: [{ pointer, code: 'not_compiled', message }] };
  }
}
