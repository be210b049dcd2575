/** The work on texts that is done in the reading thread, by name. */
import { findTextFaults } from '../check/text-faults.ts';
import { convertTexts } from '../convert/convert-texts.ts';
import type { TemplateParts } from '../rendering/liquid.ts';
import { listVariableUses } from '../rendering/variables.ts';
import { diffVersions } from '../version-diff.ts';
import { readVersion } from './read-version.ts';

function reviewTexts(parts: TemplateParts) {
  return { faults: findTextFaults(parts), uses: listVariableUses(parts) };
}

/** Functions of plain values, so that what they take and give can be sent between threads. */
export const textWork = { readVersion, listVariableUses, reviewTexts, convertTexts, diffVersions };

/** Names and signatures of the work. */
export type TextWork = typeof textWork;
