/** Rendering the three parts of one message, in the thread. */

import { type Context, type Template, toValueSync } from 'liquidjs';
import { controlCharacter } from '../../text-patterns.ts';
import type { RenderClock } from '../language/civil-time.ts';
import { hasAllowedLinksOnly, readWrittenLinks, type WrittenLinks } from '../markup/links.ts';
import {
  boundedOutput,
  createContext,
  engineOf,
  LONGEST_OUTPUT,
  parsePart,
  TEMPLATE_PARTS,
  type TemplatePart,
  type TemplateParts,
} from './liquid.ts';
import type { ShownSender } from './renderer.ts';
import { placeSignature, signatureWord } from './signature-place.ts';
import { unsubscribeField, unsubscribeWord } from './unsubscribe-place.ts';

/** What rendering gives. `template_timeout` is the cooperative limit; the thread's owner has a hard one. */
export type RenderResult =
  | { kind: 'rendered'; parts: TemplateParts }
  | { kind: 'field_missing'; fields: string[] }
  | { kind: 'template_error'; part: TemplatePart; message: string }
  | { kind: 'template_timeout' };

interface ParsedPart {
  templates: Template[];
  /** Where a field may decide what kind of link it is. */
  links: WrittenLinks | null;
}

/** What a message's texts may read. */
export interface GivenData {
  data: object;
  sender: ShownSender | null;
  /** Whether there is a link to unsubscribe: its place is marked, see `unsubscribe-place.ts`. */
  linked: boolean;
}

/** The data of a part: what the service gives is there unless the caller says another. */
function dataFor(part: TemplatePart, { data, sender, linked }: GivenData): object {
  const link = linked && !Object.hasOwn(data, unsubscribeField) ? { [unsubscribeField]: unsubscribeWord } : {};
  if (sender === null || Object.hasOwn(data, 'sender')) return linked ? { ...data, ...link } : data;
  const { signature, ...shown } = sender;
  const written = part === 'html' ? signatureWord : signature?.text;
  return { ...data, ...link, sender: { ...shown, signature: signature === null ? null : written } };
}

type Parsed = Record<TemplatePart, ParsedPart | { problem: string }>;

/** Parses all parts once; a problem is kept with its part, and told only if that part is rendered. */
export function parseParts(parts: TemplateParts): Parsed {
  const parse = (part: TemplatePart): ParsedPart | { problem: string } => {
    try {
      const links = part === 'html' ? readWrittenLinks(parts[part]) : null;
      return { templates: parsePart(part, parts[part]), links: links?.ledByField ? links : null };
    } catch (error) {
      return { problem: messageOf(error) };
    }
  };
  return { subject: parse('subject'), text: parse('text'), html: parse('html') };
}

/**
 * Renders subject, text and html. `overrides` replace a part as they are. The subject is trimmed, must
 * not be empty, and holds no control character, so that it can never begin another header.
 * @param limitMs longest time for each part, checked between its nodes.
 */
export function renderParts(
  parsed: Parsed,
  given: GivenData,
  clock: RenderClock,
  overrides: Partial<TemplateParts>,
  limitMs: number,
): RenderResult {
  const parts: TemplateParts = { subject: '', text: '', html: '' };
  const missing = new Set<string>();
  for (const part of TEMPLATE_PARTS) {
    const result = renderPart(part, parsed[part], given, clock, overrides[part], limitMs);
    if (typeof result === 'string') parts[part] = result;
    else if (result.kind === 'field_missing') for (const field of result.fields) missing.add(field);
    else return result;
  }
  return missing.size > 0 ? { kind: 'field_missing', fields: [...missing] } : { kind: 'rendered', parts };
}

function renderPart(
  part: TemplatePart,
  template: ParsedPart | { problem: string },
  given: GivenData,
  clock: RenderClock,
  override: string | undefined,
  limitMs: number,
): string | Exclude<RenderResult, { kind: 'rendered' }> {
  let written = override;
  if (written === undefined) {
    if ('problem' in template) return { kind: 'template_error', part, message: template.problem };
    const { templates, links } = template;
    const engine = engineOf(part);
    const data = dataFor(part, given);
    try {
      written = run(templates, createContext(engine, data, clock, limitMs), part);
      if (part === 'html') written = placeSignature(written, given.sender?.signature?.html ?? '');
      if (links !== null && !hasAllowedLinksOnly(written, links)) throw new Error('unsafe_link');
    } catch (error) {
      if (isMissing(error)) {
        const fields = allMissing(templates, data, clock, part, limitMs);
        // Going on to find the others may take too long: without any, the part would pass as rendered, and be empty.
        return { kind: 'field_missing', fields: fields.length > 0 ? fields : missingPaths(error as LiquidFailure) };
      }
      const message = messageOf(error);
      if (message.startsWith('template render limit')) return { kind: 'template_timeout' };
      return { kind: 'template_error', part, message };
    }
  }
  const text = part === 'subject' ? written.toWellFormed().trim() : written.toWellFormed();
  if (text.length > LONGEST_OUTPUT) return { kind: 'template_error', part, message: 'too_large' };
  if (part === 'subject' && text === '') return { kind: 'template_error', part, message: 'empty_subject' };
  if (part === 'subject' ? controlCharacter.test(text) : text.includes('\0'))
    return { kind: 'template_error', part, message: 'control_character' };
  return text;
}

function run(templates: Template[], context: Context, part: TemplatePart): string {
  const output = boundedOutput();
  toValueSync(engineOf(part).renderer.renderTemplates(templates, context, output) as Generator<unknown, string>);
  return output.buffer;
}

interface LiquidFailure {
  name: string;
  message: string;
  errors?: LiquidFailure[];
  originalError?: LiquidFailure & { variableName?: string };
  token?: { getText(): string };
}

function isMissing(error: unknown): boolean {
  return (error as LiquidFailure).name === 'UndefinedVariableError';
}

function messageOf(error: unknown): string {
  const { message } = error as LiquidFailure;
  if (message.startsWith('too_large') || message.startsWith('memory alloc limit')) return 'too_large';
  return message.slice(0, 300);
}

/**
 * Every absent variable, by the path the template writes. One output stops at its first absent variable,
 * so what was found is filled with null and the part is run again, until nothing more appears.
 */
function allMissing(
  templates: Template[],
  data: object,
  clock: RenderClock,
  part: TemplatePart,
  limitMs: number,
): string[] {
  const found = new Set<string>();
  const filled = structuredClone(data) as Record<string, unknown>;
  for (let round = 0; round < 10; round += 1) {
    const before = found.size;
    try {
      run(templates, createContext(engineOf(part), filled, clock, limitMs, true), part);
      break;
    } catch (error) {
      for (const path of missingPaths(error as LiquidFailure)) {
        found.add(path);
        fill(filled, path);
      }
    }
    if (found.size === before) break;
  }
  return [...found];
}

function missingPaths(error: LiquidFailure): string[] {
  if (error.errors !== undefined) return error.errors.flatMap(missingPaths);
  if (!isMissing(error)) return error.originalError === undefined ? [] : missingPaths(error.originalError);
  const written = error.token?.getText() ?? '';
  const path = /^[\w\u0080-\uffff-]+(?:\.[\w\u0080-\uffff-]+)*$/.test(written)
    ? written
    : error.originalError?.variableName;
  return [path ?? written];
}

/** Gives an absent path the value null. Never replaces a value that is there. */
function fill(data: Record<string, unknown>, path: string): void {
  const names = path.split('.');
  const last = names.pop() ?? '';
  let scope = data;
  for (const name of names) {
    if (!Object.hasOwn(scope, name)) Object.defineProperty(scope, name, { value: {}, enumerable: true });
    const next = scope[name];
    if (typeof next !== 'object' || next === null) return;
    scope = next as Record<string, unknown>;
  }
  if (!Object.hasOwn(scope, last)) Object.defineProperty(scope, last, { value: null, enumerable: true });
}
