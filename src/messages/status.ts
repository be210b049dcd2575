/** The lifecycle of a message (systems: "The lifecycle"; the diagram is in ARCHITECTURE.md). */

/** `E` awaiting validation, `V` validated, `OK` sent, `KO` failed, `B` blocked. */
export const statuses = ['E', 'V', 'OK', 'KO', 'B'] as const;

export type Status = (typeof statuses)[number];

/** Where each status may lead. The database refuses every other move. */
const legalMoves: Readonly<Record<Status, readonly Status[]>> = {
  E: ['V', 'B', 'KO'],
  V: ['B', 'OK', 'KO'],
  OK: ['KO'],
  KO: ['V', 'OK'],
  B: ['V'],
};

/** Whether a message may ever move from one status to another. `KO` to `OK` holds only for an unknown outcome. */
export function isLegalMove(from: Status, to: Status): boolean {
  return legalMoves[from].includes(to);
}

/** The statuses that an action takes: `validate` acts on `E` and `B`, `resend` on `KO`, and nothing else. */
export const actionSources = {
  validate: ['E', 'B'],
  block: ['E', 'V'],
  resend: ['KO'],
  resolve: ['KO'],
  correct: ['E', 'B', 'KO'],
} as const satisfies Record<string, readonly Status[]>;

/**
 * The statuses that an action takes where messages are chosen by a filter that names none. Not all of them: "validate
 * this edition run" does not mean the notices that a person has blocked.
 */
const actionDefaults = {
  validate: ['E'],
  block: ['E', 'V'],
  resend: ['KO'],
} as const satisfies Record<string, readonly Status[]>;

/** The statuses in which an action takes the messages of a filter. @param asked those that the filter names, if it does. */
export function sourcesOf(action: keyof typeof actionDefaults, asked: readonly Status[] | undefined): Status[] {
  if (asked === undefined) return [...actionDefaults[action]];
  return actionSources[action].filter((status) => asked.includes(status));
}

/** Where a message stands on its way out, and what is known once it left, in one word. */
export const deliveries = [
  'none',
  'waiting',
  'queued',
  'sending',
  'sent',
  'delivered',
  'bounced',
  'uncertain',
] as const;

export type Delivery = (typeof deliveries)[number];

/** Priorities, by the number kept in rows: a smaller one goes first. */
export const priorities = ['urgent', 'normal', 'bulk'] as const;

export type Priority = (typeof priorities)[number];

/** The number of a priority. */
export function priorityNumber(priority: Priority): number {
  return priorities.indexOf(priority);
}
