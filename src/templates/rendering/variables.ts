/** The fields that templates read from their data. */
import { analyzeSync } from 'liquidjs';
import { parsePart } from './liquid.ts';
import { listMemberUses } from './loop-fields.ts';

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
 * Each field once, in the order of texts, those of members of lists behind the others (`pieces[].titre`); names that a
 * template assigns itself are not among them. A text that does not
 * parse adds none: `findParseProblem` is where problems are told.
 */
export function listVariableUses(texts: readonly PlacedText[]): VariableUse[] {
  const uses = new Map<string, VariableUse>();
  for (const { place, html, source } of texts) {
    try {
      const templates = parsePart(html ? 'html' : 'text', source);
      const { globals } = analyzeSync(templates, { partials: false });
      const read = Object.values(globals)
        .flat()
        .map((variable) => ({ path: String(variable), ...variable.location }));
      for (const { path, row, col } of [...read, ...listMemberUses(templates)]) {
        if (!uses.has(path)) uses.set(path, { path, part: place, line: row, column: col });
      }
    } catch {
      // Told elsewhere.
    }
  }
  return [...uses.values()];
}
