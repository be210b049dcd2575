/** Looks for what is wrong with a template before anybody receives it. */

import type { FieldsShape } from '../../merge-fields/shape.ts';
import type { KnownFields } from '../fields/known.ts';
import { type PreviewDeps, renderSample, type Sample } from '../preview.ts';
import type { TextReader } from '../reading/reader.ts';
import type { PrepareResult } from '../rendering/renderer.ts';
import { unsubscribeField } from '../rendering/unsubscribe-place.ts';
import type { PlacedText, VariableUse } from '../rendering/variables.ts';
import type { KeyedParts } from '../version-content.ts';
import { compareKnown } from './known-fields.ts';
import { compareFields, type FieldProblem } from './sample-fields.ts';
import type { TextFault } from './text-faults.ts';

/** Every code, with how bad it is and what a person is told. Codes are stable. */
export const checkCodes = {
  field_missing: { severity: 'error', message: 'the sample does not give this field, and the text needs it' },
  field_unknown: { severity: 'error', message: 'neither the template nor a list of fields gives this field' },
  field_wrong_trigger: { severity: 'error', message: 'this field is one of another trigger' },
  template_error: { severity: 'error', message: 'it cannot be rendered with this sample' },
  template_timeout: { severity: 'error', message: 'it takes too long to render' },
  typed_in_mail_address: { severity: 'warning', message: 'a mail address is typed in: everybody would receive it' },
  typed_in_phone_number: { severity: 'warning', message: 'a telephone number is typed in' },
  typed_in_social_security_number: { severity: 'warning', message: 'a social security number is typed in' },
  typed_in_iban: { severity: 'warning', message: 'an IBAN is typed in' },
  risky_element: { severity: 'warning', message: 'mail programs refuse or remove this element' },
  risky_attribute: { severity: 'warning', message: 'mail programs remove this attribute' },
  risky_link: { severity: 'warning', message: 'a link that mail programs do not follow' },
  field_in_code: {
    severity: 'warning',
    message: 'a field stands in a style or a program: it is escaped for HTML only',
  },
  field_as_link: { severity: 'warning', message: 'what the field gives decides where the link leads' },
  field_optional: { severity: 'note', message: 'the sample does not give this field; the text does without it' },
  field_unused: { severity: 'note', message: 'this field is given, or declared, and no text reads it' },
} as const satisfies Record<string, { severity: 'error' | 'warning' | 'note'; message: string }>;

type Code = keyof typeof checkCodes;

/** One thing that a check found. */
export interface CheckedProblem {
  code: Code;
  severity: 'error' | 'warning' | 'note';
  message: string;
  /** Place of the text: `subject`, `sections/header`, `locales/en/html`, `to`. */
  part: string | null;
  line: number | null;
  column: number | null;
  /** The path of a field, or what stands there. */
  subject: string | null;
  suggestion: string | null;
}

/** A recipient for samples that have none. */
const standIn = { type: '', externalId: '', displayName: '', attributes: {} };

/** A text with more faults than this needs no longer list. */
const problemsAtMost = 500;

function problem(code: Code, where: Partial<CheckedProblem>): CheckedProblem {
  const nowhere = { part: null, line: null, column: null, subject: null, suggestion: null };
  return { code, ...checkCodes[code], ...nowhere, ...where };
}

function ofText({ code, text, ...where }: TextFault): CheckedProblem {
  return problem(code, { ...where, subject: text });
}

function ofField({ code, field, use, suggestion }: FieldProblem): CheckedProblem {
  const { part = null, line = null, column = null } = use ?? {};
  return problem(code, { part, line, column, subject: field, suggestion });
}

function ofRendering(result: PrepareResult | undefined): CheckedProblem[] {
  if (result?.kind === 'template_error') {
    return [problem('template_error', { part: result.part, subject: result.message })];
  }
  return result?.kind === 'template_timeout' ? [problem('template_timeout', {})] : [];
}

/** A version to check. */
export interface CheckedVersion extends KeyedParts {
  /** What its author wrote. */
  written: readonly PlacedText[];
  /** The expression of the address. */
  address: KeyedParts | null;
  uses: readonly VariableUse[];
  known: KnownFields | null;
  declared: FieldsShape | null;
  /** The organisation's. */
  constants: Readonly<Record<string, string>>;
}

/**
 * Checks the texts of a template, the fields they read against those that are known, and with a sample against what it
 * gives: what a text needs and nothing gives is an error. A template without errors and warnings gives an empty list, or notes only.
 */
export async function checkTemplate(
  deps: PreviewDeps & { reader: TextReader },
  version: CheckedVersion,
  sample: Sample | null,
): Promise<CheckedProblem[]> {
  const { written, uses, known, declared, constants } = version;
  const problems = (await deps.reader.run('reviewTexts', written, constants)).map(ofText);
  problems.push(...compareKnown(uses, known, declared).map(ofField));
  if (sample !== null) {
    // The service gives it to whoever is known: a sample need not.
    const data = { recipient: standIn, ...sample.data };
    const result = await renderSample(deps, version, { ...sample, data });
    const { address } = version;
    const ofAddress = address === null ? undefined : await renderSample(deps, address, { ...sample, data });
    const missing = [result, ofAddress].flatMap((one) => (one?.kind === 'field_missing' ? one.fields : []));
    const ofService = { [unsubscribeField]: '', ...(sample.sender === null ? {} : { sender: sample.sender }) };
    const compared = { ...ofService, ...data };
    problems.unshift(...ofRendering(result), ...compareFields(uses, compared, missing).map(ofField));
  }
  const order = { error: 0, warning: 1, note: 2 };
  return problems.toSorted((one, other) => order[one.severity] - order[other.severity]).slice(0, problemsAtMost);
}
