import { uuidPattern } from '../text-patterns.ts';

const uuid = '[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}';
const external = 'external:[A-Za-z0-9][A-Za-z0-9._-]{0,99}:[^\\u0000-\\u001f\\u007f\\u0085\\u2028\\u2029]{1,200}';

/** How callers name a recipient: its id, or `external:{type}:{externalId}`. */
export const recipientReferencePattern = `^(?:${uuid}|${external})$`;

/** A reference, read. The id is in lower case. */
export type RecipientReference = { kind: 'id'; id: string } | { kind: 'external'; type: string; externalId: string };

const externalExpression = new RegExp(`^(?=${external}$)external:([^:]+):([\\s\\S]+)$`, 'u');

/** Reads a reference. Null: it is none, so that it names nobody. */
export function parseRecipientReference(text: string): RecipientReference | null {
  if (uuidPattern.test(text)) return { kind: 'id', id: text.toLowerCase() };
  const [, type, externalId] = externalExpression.exec(text) ?? [];
  return type === undefined || externalId === undefined ? null : { kind: 'external', type, externalId };
}

/** How a recipient is named whatever the organisation. */
export function writeRecipientReference({ type, externalId }: { type: string; externalId: string }): string {
  return `external:${type}:${externalId}`;
}
