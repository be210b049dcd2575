/** The work on texts that is done in the reading thread, by name. */
import { makeTexts } from '../authoring/make-texts.ts';
import { textFromHtml } from '../authoring/text-from-html.ts';
import { findUnsound } from '../authoring/unsound.ts';
import { findTextFaults } from '../check/text-faults.ts';
import { convertTexts } from '../convert/convert-texts.ts';
import { listVariableUses } from '../rendering/variables.ts';
import { diffVersions } from '../version-diff.ts';

/** Functions of plain values, so that what they take and give can be sent between threads. */
export const textWork = {
  makeTexts,
  textFromHtml,
  findUnsound,
  findTextFaults,
  listVariableUses,
  convertTexts,
  diffVersions,
};

/** Names and signatures of the work. */
export type TextWork = typeof textWork;
