/** The fields that templates read from their data. */
import { analyzeSync } from 'liquidjs';
import { parsePart } from './liquid.ts';

/** A text of a version: `place` is told with what is found in it. */
export interface PlacedText {
  place: string;
  html: boolean;
  source: string;
}

/** A field that is read, by its full path (`client.name`), where it stands first. Lines and columns start at 1. */
export interface VariableUse {
  path: string;
  /** Place of the text. */
  part: string;
  line: number;
  column: number;
}

/**
 * Each field once, in the order of texts; names that a template assigns itself are not among them. A text that does not
 * parse adds none: `findParseProblem` is where problems are told.
 */
export function listVariableUses(texts: readonly PlacedText[]): VariableUse[] {
  const uses = new Map<string, VariableUse>();
  for (const { place, html, source } of texts) {
    try {
      const { globals } = analyzeSync(parsePart(html ? 'html' : 'text', source), { partials: false });
      for (const variable of Object.values(globals).flat()) {
        const path = String(variable);
        const { row, col } = variable.location;
        if (!uses.has(path)) uses.set(path, { path, part: place, line: row, column: col });
      }
    } catch {
      // Told elsewhere.
    }
  }
  return [...uses.values()];
}
