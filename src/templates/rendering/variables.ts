/** The fields that templates read from their data. */
import { analyzeSync } from 'liquidjs';
import { parsePart, TEMPLATE_PARTS, type TemplatePart, type TemplateParts } from './liquid.ts';

/** A field that is read, by its full path (`client.name`), where it stands first. Lines and columns start at 1. */
export interface VariableUse {
  path: string;
  part: TemplatePart;
  line: number;
  column: number;
}

/**
 * Each field once, in the order of parts; names that a template assigns itself are not among them. A part that does not
 * parse adds none: `parseTemplateParts` is where problems are told.
 */
export function listVariableUses(parts: TemplateParts): VariableUse[] {
  const uses = new Map<string, VariableUse>();
  for (const part of TEMPLATE_PARTS) {
    try {
      const { globals } = analyzeSync(parsePart(part, parts[part]), { partials: false });
      for (const variable of Object.values(globals).flat()) {
        const path = String(variable);
        const { row, col } = variable.location;
        if (!uses.has(path)) uses.set(path, { path, part, line: row, column: col });
      }
    } catch {
      // Told elsewhere.
    }
  }
  return [...uses.values()];
}
