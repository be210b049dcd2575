/** The work on texts that is done in the reading thread, by name. */
import { makeText } from '../authoring/compile.ts';
import { makeTexts } from '../authoring/make-texts.ts';
import { findUnsound } from '../authoring/unsound.ts';
import type { findTextFaults } from '../check/text-faults.ts';
import { convertTexts } from '../convert/convert-texts.ts';
import { listVariableUses } from '../rendering/variables.ts';
import { diffVersions } from '../version-diff.ts';

/** Loaded when it is asked for: the plans of all telephone numbers are large. */
async function reviewTexts(...given: Parameters<typeof findTextFaults>): Promise<ReturnType<typeof findTextFaults>> {
  return (await import('../check/text-faults.ts')).findTextFaults(...given);
}

/** Functions of plain values, so that what they take and give can be sent between threads. */
export const textWork = {
  makeTexts,
  makeText,
  findUnsound,
  reviewTexts,
  listVariableUses,
  convertTexts,
  diffVersions,
};

/** Names and signatures of the work. */
export type TextWork = typeof textWork;
