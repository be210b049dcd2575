/**
 * The template language: LiquidJS with what a mail needs, and nothing that reads files, runs code or
 * reaches beyond the data it is given.
 *
 * Variables are strict: an absent one is an error, a null one is empty. Two places ask about absence and
 * so allow it: the condition of `if`, `elsif`, `unless` and `case`, and a value whose first filter is
 * `default`. That is how a template says that a field is optional.
 */
import {
  AssignTag,
  CaptureTag,
  type Context,
  Drop,
  type FilterImplOptions,
  Liquid,
  LiquidError,
  type LiquidOptions,
  type Template,
} from 'liquidjs';
import type { RenderClock } from '../language/civil-time.ts';
import { formatDate, readDate } from '../language/date-filter.ts';
import { type LanguageFilter, languageFilters } from '../language/language-filters.ts';
import { formatPhpDate } from '../language/php-date.ts';
import { FILTERS, TAGS } from './liquid-allowed.ts';
import { DataContext, renderAtOnce } from './sync-render.ts';

/** The three texts of a template version. */
export interface TemplateParts {
  subject: string;
  text: string;
  html: string;
}

/** Name of one of the three texts. */
export type TemplatePart = keyof TemplateParts;

/** The parts in the order they are rendered and reported. */
export const TEMPLATE_PARTS: readonly TemplatePart[] = ['subject', 'text', 'html'];

/** Longest template text, and longest rendered text, in UTF-16 units. */
export const LONGEST_TEMPLATE = 200_000;
export const LONGEST_OUTPUT = 1_000_000;

/** Why a text does not parse. Lines and columns start at 1; null when the parser cannot tell. */
export interface TemplateProblem {
  part: string;
  message: string;
  line: number | null;
  column: number | null;
}

const CLOCK = Symbol('clock');

// The two classes below extend LiquidJS's own: it offers no other way to change a tag, or to mark a value.

/** Markup that has been escaped where it was made: it must not be escaped once more where it is written. */
class CapturedHtml extends Drop {
  readonly #html: string;
  constructor(html: string) {
    super();
    this.#html = html;
  }
  override valueOf(): string {
    return this.#html;
  }
}

/** LiquidJS's `assign` allows absent variables under `lenientIf`; then `{% assign x = absent %}` would pass unseen. */
class StrictAssignTag extends AssignTag {
  override *render(context: Context): Generator<unknown, void, unknown> {
    const self = this as unknown as { key: string; value: { value(context: Context, lenient: boolean): unknown } };
    (context.bottom() as Record<string, unknown>)[self.key] = yield self.value.value(context, false);
  }
}

/** A capture is held to the same size as a part, and in HTML remembers that it is escaped. */
function captureTag(html: boolean): typeof CaptureTag {
  return class extends CaptureTag {
    override *render(context: Context): Generator<unknown, void, string> {
      const output = boundedOutput();
      yield this.liquid.renderer.renderTemplates(this.templates, context, output);
      context.memoryLimit.use(output.buffer.length);
      (context.bottom() as Record<string, unknown>)[this.variable] = html
        ? new CapturedHtml(output.buffer)
        : output.buffer;
    }
  };
}

function textOf(value: unknown): string {
  const plain: unknown = value instanceof Drop ? value.valueOf() : value;
  if (typeof plain === 'string') return plain;
  if (plain === null || plain === undefined) return '';
  if (Array.isArray(plain)) return plain.map(textOf).join('');
  // "[object Object]" is never what a person meant to receive.
  if (typeof plain === 'object') throw new Error('a value is an object, not a text');
  return String(plain);
}

/** Collects what is rendered; throws `too_large` rather than grow past {@link LONGEST_OUTPUT}. */
export function boundedOutput(): { buffer: string; write(value: unknown): void } {
  return {
    buffer: '',
    write(value) {
      const text = textOf(value);
      if (this.buffer.length + text.length > LONGEST_OUTPUT) throw new Error('too_large');
      this.buffer += text;
    },
  };
}

function htmlEscape(value: unknown): string {
  return textOf(value).replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}
const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };

function htmlEscapeOnce(value: unknown): string {
  return htmlEscape(
    textOf(value).replace(
      /&(amp|lt|gt|#34|#39);/g,
      (entity) => Object.keys(ESCAPES).find((character) => ESCAPES[character] === entity) ?? entity,
    ),
  );
}

/** LiquidJS calls it as a filter, on every output of the HTML part. */
function escapeOutput(this: { context: Context }, value: unknown): string {
  if (value instanceof CapturedHtml) return value.valueOf();
  const text = textOf(value);
  this.context.memoryLimit.use(text.length);
  return htmlEscape(text);
}

function clockOf(context: Context): RenderClock {
  const clock = (context.globals as { [CLOCK]?: RenderClock })[CLOCK];
  if (clock === undefined) throw new Error('no clock');
  return clock;
}

const plainOf = (value: unknown): unknown => (value instanceof Drop ? value.valueOf() : value);

/** A filter that writes a date in the message's own zone, or the one it is given. What is no date stays as it is. */
function dateFilterOf(write: typeof formatDate, usual: string): FilterImplOptions {
  return function (value, format, timezone) {
    const clock = clockOf(this.context);
    const zoned = typeof timezone === 'string' ? { ...clock, timezone } : clock;
    const written = textOf(format ?? usual);
    if (written.length > 200) throw new Error('date format is too long');
    const instant = readDate(plainOf(value), zoned);
    return instant === null ? value : write(instant, written, zoned);
  };
}

function languageFilterOf(filter: LanguageFilter): FilterImplOptions {
  return function (value, ...given) {
    return filter(clockOf(this.context), plainOf(value), ...given.map(plainOf));
  };
}

function createEngine(html: boolean): Liquid {
  const options: LiquidOptions = {
    // An empty map instead of the file system: there is nothing to include even if a tag could ask.
    templates: {},
    strictVariables: true,
    strictFilters: true,
    ownPropertyOnly: true,
    lenientIf: true,
    parseLimit: LONGEST_TEMPLATE,
    memoryLimit: 2_000_000,
    renderLimit: 500,
    ...(html && { outputEscape: escapeOutput as (value: unknown) => string }),
  };
  const engine = new Liquid(options);
  for (const name of Object.keys(engine.tags)) if (!TAGS.has(name)) delete engine.tags[name];
  for (const name of Object.keys(engine.filters)) if (!FILTERS.has(name)) engine.unregisterFilter(name);
  engine.registerTag('assign', StrictAssignTag);
  engine.registerTag('capture', captureTag(html));
  engine.registerFilter('date', dateFilterOf(formatDate, '%F'));
  engine.registerFilter('php_date', dateFilterOf(formatPhpDate, 'Y-m-d'));
  for (const [name, filter] of Object.entries(languageFilters)) engine.registerFilter(name, languageFilterOf(filter));
  if (html) {
    // `raw` here means: it ends escaped, so it is not escaped again.
    engine.registerFilter('escape', { raw: true, handler: htmlEscape });
    engine.registerFilter('escape_once', { raw: true, handler: htmlEscapeOnce });
    engine.registerFilter('newline_to_br', {
      raw: true,
      handler: (value) => htmlEscapeOnce(value).replace(/\r?\n/g, '<br />\n'),
    });
  }
  renderAtOnce(engine);
  return engine;
}

let engines: Record<TemplatePart, Liquid> | undefined;

/**
 * The engine a part is parsed and rendered with: `html` escapes what it outputs, the others do not.
 * One per thread; clock, zone and locale belong to each render ({@link createContext}).
 */
export function engineOf(part: TemplatePart): Liquid {
  if (engines === undefined) {
    const plain = createEngine(false);
    engines = { subject: plain, text: plain, html: createEngine(true) };
  }
  return engines[part];
}

/**
 * What one part is rendered in. `data` is copied one level deep, since `increment` writes into it.
 * `collectErrors` goes on after an error, to find them all.
 */
export function createContext(
  engine: Liquid,
  data: object,
  clock: RenderClock,
  renderLimitMs: number,
  collectErrors = false,
): Context {
  const globals = Object.create(null) as { [CLOCK]?: RenderClock };
  globals[CLOCK] = clock;
  return new DataContext(
    { ...data },
    collectErrors ? { ...engine.options, catchAllErrors: true } : engine.options,
    { sync: true, globals, renderLimit: renderLimitMs },
    { liquid: engine },
  );
}

/** Parses one part. @throws LiquidError */
export function parsePart(part: TemplatePart, source: string): Template[] {
  return engineOf(part).parse(source);
}

/** Why a text does not parse: its first problem, or null. Nothing is rendered. @param place told as `part`. */
export function findParseProblem(place: string, html: boolean, source: string): TemplateProblem | null {
  try {
    parsePart(html ? 'html' : 'text', source);
    return null;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // LiquidJS's errors carry their token, but do not say so in their type.
    const token = LiquidError.is(error) ? (error as { token?: { getPosition(): number[] } }).token : undefined;
    const [line = null, column = null] = token?.getPosition() ?? [];
    return { part: place, message: message.replace(/, line:\d+, col:\d+$/, ''), line, column };
  }
}

/** Whether the three parts parse, with the first problem of each part that does not. Nothing is rendered. */
export function parseTemplateParts(
  parts: TemplateParts,
): { kind: 'parsed' } | { kind: 'problems'; problems: TemplateProblem[] } {
  const problems = TEMPLATE_PARTS.flatMap((part) => findParseProblem(part, part === 'html', parts[part]) ?? []);
  return problems.length === 0 ? { kind: 'parsed' } : { kind: 'problems', problems };
}
