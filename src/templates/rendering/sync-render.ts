/**
 * LiquidJS's way through a template, without its generators where there is nothing to wait for: it resumes seven of them
 * for each field that is written, also in a synchronous rendering. Every limit and check is LiquidJS's, at its place.
 */
import {
  Context,
  type Emitter,
  type Filter,
  type Liquid,
  LiquidError,
  Output,
  RenderError,
  type Template,
  TypeGuards,
  toValue,
  toValueSync,
  UndefinedVariableError,
} from 'liquidjs';

const forbiddenKeys: ReadonlySet<unknown> = new Set(['__proto__', 'constructor', 'prototype']);

type Path = Parameters<Context['_get']>[0];
type Key = Parameters<Context['readProperty']>[1];

/** A context that reads a path at once, and never one of the members that lead out of the data. */
export class DataContext extends Context {
  override readProperty(scope: object, key: Key): unknown {
    // Loop objects of LiquidJS answer for inherited properties too, whatever `ownPropertyOnly` says.
    return forbiddenKeys.has(typeof key === 'string' ? key : String(key)) ? undefined : super.readProperty(scope, key);
  }

  /** The value, where LiquidJS would give something that gives the value: it takes both. */
  override _get(path: Path): never {
    const finder = this as unknown as { findScope(key: unknown): unknown };
    return this._getFromScope(finder.findScope(path[0]), path);
  }

  override _getFromScope(scope: unknown, path: Path | string, strict = this.strictVariables): never {
    if (typeof path === 'string') return super._getFromScope(scope, path, strict) as never;
    let value = scope;
    for (const key of path) {
      value = this.readProperty(value as object, key);
      // LiquidJS's own way again, for its error.
      if (strict && value === undefined) return super._getFromScope(scope, path, strict) as never;
    }
    return value as never;
  }
}

/** How one node of a template is written. */
type Step =
  | { kind: 'text'; text: string }
  /** A field, with nothing but the escaping of the part behind it. */
  | { kind: 'field'; token: UndefinedToken; path: Path; escaping: Filter | null }
  | { kind: 'other' };

type UndefinedToken = ConstructorParameters<typeof UndefinedVariableError>[1];

const other: Step = { kind: 'other' };

function stepOf(template: Template, outputEscape: unknown): Step {
  if (TypeGuards.isHTMLToken(template.token))
    return { kind: 'text', text: (template as unknown as { str: string }).str };
  if (!(template instanceof Output)) return other;
  const { filters, initial } = template.value;
  const [filter = null] = filters;
  if (filters.length > 1 || (filter !== null && (filter as unknown as { handler: unknown }).handler !== outputEscape))
    return other;
  const [token, ...more] = initial.postfix;
  if (more.length > 0 || !TypeGuards.isPropertyAccessToken(token) || token.variable !== undefined) return other;
  const path = token.props.map((name) => ('content' in name ? name.content : undefined));
  // What stands in brackets may be a field itself.
  if (path.includes(undefined)) return other;
  return { kind: 'field', token, path: path as Path, escaping: filter };
}

function writeField(step: Step & { kind: 'field' }, context: Context, emitter: Emitter): void {
  let value: unknown;
  try {
    value = toValueSync(context._get(step.path));
  } catch (error) {
    throw new UndefinedVariableError(error as Error, step.token);
  }
  const { escaping } = step;
  emitter.write(toValue(escaping === null ? value : toValueSync(escapeWith(escaping, value, context))));
}

function escapeWith(escaping: Filter, value: unknown, context: Context): never {
  const { handler, token, liquid } = escaping as unknown as {
    handler(this: unknown, value: unknown): unknown;
    token: unknown;
    liquid: unknown;
  };
  return handler.call({ context, token, liquid }, value) as never;
}

/** Gives an engine this way through its templates. */
export function renderAtOnce(engine: Liquid): void {
  const inLiquidJs = engine.renderer.renderTemplates.bind(engine.renderer);
  const steps = new WeakMap<Template[], Step[]>();

  function stepsOf(templates: Template[]): Step[] {
    const known = steps.get(templates);
    if (known !== undefined) return known;
    const made = templates.map((template) => stepOf(template, engine.options.outputEscape));
    steps.set(templates, made);
    return made;
  }

  function renderTemplates(templates: Template[], context: Context, emitter: Emitter): unknown {
    // To find all errors it must go on after each: that is rare, and LiquidJS's own way does it.
    if (context.opts.catchAllErrors) return toValueSync(inLiquidJs(templates, context, emitter));
    context.renderLimit.check(performance.now());
    for (const [place, step] of stepsOf(templates).entries()) {
      const template = templates[place] as Template;
      context.renderLimit.check(performance.now());
      try {
        if (step.kind === 'text') emitter.write(step.text);
        else if (step.kind === 'field') writeField(step, context, emitter);
        else {
          const written = toValueSync(template.render(context, emitter));
          if (written) emitter.write(written as string);
        }
        // Behind a text, too: a `case` goes on to its next branch with the mark of the one before.
        if (context.breakCalled || context.continueCalled) break;
      } catch (error) {
        throw LiquidError.is(error) ? error : new RenderError(error as Error, template);
      }
    }
    return (emitter as unknown as { buffer: string }).buffer;
  }

  engine.renderer.renderTemplates = renderTemplates as unknown as typeof engine.renderer.renderTemplates;
}
