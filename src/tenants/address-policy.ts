import { invalidField } from '../errors.ts';

const firsts = ['preferred', 'personal-first', 'institutional-first', 'both', 'explicit'] as const;

/** Which address of a record is written to (A9): one of the words, or the address of one role. */
export type AddressPolicy = (typeof firsts)[number] | `role:${string}`;

/** A policy, as texts of the API are checked. */
export const addressPolicyPattern = `^(?:${firsts.join('|')}|role:[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]{1,50})$`;

const policyExpression = new RegExp(addressPolicyPattern, 'u');

/** A text as a policy. @throws AppError `unprocessable` at the pointer where it is none. */
export function readAddressPolicy(text: string, pointer = '/addressPolicy'): AddressPolicy {
  if (policyExpression.test(text)) return text as AddressPolicy;
  throw invalidField(pointer, 'address_policy_unknown', `must be one of ${firsts.join(', ')}, or role:{role}`);
}
