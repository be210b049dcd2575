import type { Tx } from '../db/client.ts';
import { type OperationDeps, type OperationRow, type Progress, recordStep } from './store.ts';

/** Where an operation goes on, and how many rows the step was about. `later`: something is in the way at this moment. */
export interface Next<Stage extends string> {
  stage: Stage | 'end';
  /** The last id that was looked at in the stage; empty at its beginning. */
  after?: string;
  done?: number;
  later?: boolean;
}

/**
 * Does the next step of an operation that is made of stages, each of many steps. Killed at any point, it goes on from the
 * last step that was committed.
 * @param step what a stage does from a place on.
 */
export async function stepStages<Stage extends string>(
  deps: OperationDeps,
  tx: Tx,
  row: OperationRow,
  first: Stage,
  step: (stage: Stage, after: string) => Promise<Next<Stage>>,
): Promise<Progress> {
  const [stage = first, after = ''] = (row.cursor ?? '').split(':').filter(Boolean) as [Stage?, string?];
  const next = await step(stage, after);
  const done = next.done ?? 0;
  const cursor = `${next.stage}:${next.after ?? ''}`;
  await recordStep(deps, tx, row, { cursor, done, succeeded: done, refused: [] });
  if (next.stage === 'end') return 'done';
  return next.later ? 'later' : 'more';
}
