import { diffLines } from 'diff';
import { TEMPLATE_PARTS, type TemplatePart, type TemplateParts } from './rendering/liquid.ts';

/** Lines that stayed, went or came. */
export interface LineChange {
  kind: 'same' | 'removed' | 'added';
  text: string;
}

/** How two versions differ. */
export interface VersionDifference {
  /** Null where there is none before. */
  from: number | null;
  to: number;
  parts: { part: TemplatePart; changed: boolean; changes: LineChange[] }[];
}

/** Texts that have little in common are compared for this long; then one is shown behind the other. */
const comparisonMs = 50;

function compare(before: string, after: string): LineChange[] {
  const changes = diffLines(before, after, { timeout: comparisonMs });
  if (changes === undefined) {
    return [
      { kind: 'removed', text: before },
      { kind: 'added', text: after },
    ];
  }
  return changes.map(({ added, removed, value }) => ({
    kind: added ? 'added' : removed ? 'removed' : 'same',
    text: value,
  }));
}

/** Compares two versions part by part, line by line. Without an older one everything is added. */
export function diffVersions(
  before: (TemplateParts & { version: number }) | null,
  after: TemplateParts & { version: number },
): VersionDifference {
  return {
    from: before?.version ?? null,
    to: after.version,
    parts: TEMPLATE_PARTS.map((part) => {
      const changes = compare(before?.[part] ?? '', after[part]);
      return { part, changed: changes.some(({ kind }) => kind !== 'same'), changes };
    }),
  };
}
