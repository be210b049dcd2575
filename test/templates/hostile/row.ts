/** A template that somebody wrote to do harm, and what must become of it. */

/** What an attack is made of. */
export type HostileClass = 'cpu' | 'memory' | 'output size' | 'prototype' | 'file' | 'filter' | 'recursion' | 'unicode';

type Reason = 'template_error' | 'template_timeout' | 'field_missing';

/**
 * - `refused`: its version is not saved; `code` is that of the first of `errors`, or of the answer where there is none.
 * - `ends`: the preview is refused and its message is `KO`, for one of these reasons: on a slow machine time may run out
 *   before another limit is met.
 * - `gives`: it renders, and its text part is exactly this.
 * - `little`: it renders something short that tells nothing secret, or ends as above.
 * - `data`: the sample is refused before anything is rendered, with one of these codes.
 */
export type HostileOutcome =
  | { kind: 'refused'; code: string }
  | { kind: 'ends'; reasons: readonly Reason[] }
  | { kind: 'gives'; text: string }
  | { kind: 'little' }
  | { kind: 'data'; codes: readonly string[] };

/** One row of the table. */
export interface HostileRow {
  class: HostileClass;
  name: string;
  /** Those that are absent are harmless. */
  parts: { subject?: string; text?: string; html?: string; syntax?: 'braces' };
  /** JSON of the row's data. */
  json: string;
  outcome: HostileOutcome;
}

/** The version is not saved. */
export const refused = (code = 'template_invalid'): HostileOutcome => ({ kind: 'refused', code });
/** The message is `KO`. */
export const ends = (...reasons: Reason[]): HostileOutcome => ({ kind: 'ends', reasons });
/** It takes too long, whichever limit says so. */
export const late = ends('template_timeout');
/** It grows beyond a limit, or takes too long to get there. */
export const large = ends('template_error', 'template_timeout');
/** A member that is not the data's own is absent. */
export const absent = ends('field_missing');
/** It renders just this. */
export const gives = (text: string): HostileOutcome => ({ kind: 'gives', text });
/** It does nothing worth the while. */
export const little: HostileOutcome = { kind: 'little' };
/** The data does not get in. */
export const dataRefused = (...codes: string[]): HostileOutcome => ({ kind: 'data', codes });

/** Makes the rows of one class. A template that is a string is the text part; data that is a string is JSON. */
export function rowsOf(
  kind: HostileClass,
  rows: readonly (readonly [
    name: string,
    template: string | HostileRow['parts'],
    outcome: HostileOutcome,
    data?: unknown,
  ])[],
): HostileRow[] {
  return rows.map(([name, template, outcome, data = {}]) => ({
    class: kind,
    name,
    parts: typeof template === 'string' ? { text: template } : template,
    json: typeof data === 'string' ? data : JSON.stringify(data),
    outcome,
  }));
}
