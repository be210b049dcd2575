import { and, eq, gte, inArray, lt, type SQL, sql } from 'drizzle-orm';
import Type, { type Static } from 'typebox';
import { parseAddrSpec } from '../channels/mail/addr-spec.ts';
import { messages } from '../db/tables/messages.ts';
import { closed, Instant, line, Uuid, words } from '../fields.ts';
import { parseRecipientReference } from '../recipients/reference.ts';
import { uuidPattern } from '../text-patterns.ts';
import { reasonCodes } from './reasons.ts';
import { statuses } from './status.ts';

const instant = (description: string) => Type.Optional({ ...Instant, description } as typeof Instant);

/** Filters of messages, the same in a list's query, in an action's body and in an export. */
export const filterFields = {
  status: Type.Optional(
    Type.Array(words(statuses), { minItems: 1, maxItems: 5, uniqueItems: true, description: 'One or several.' }),
  ),
  channel: Type.Optional(words(['mail'], { description: 'By which it goes.' })),
  template: Type.Optional(line(100, { description: 'Key or id.' })),
  sendRequest: Type.Optional({ ...Uuid, description: 'Id of the send request.' } as typeof Uuid),
  contextType: Type.Optional(line(50, { description: 'The `type` of the context.' })),
  context: Type.Optional(line(200, { description: 'The `ref` of the context, e.g. a file number.' })),
  recipient: Type.Optional(
    Type.String({ minLength: 1, maxLength: 400, description: 'Id, or `external:{type}:{externalId}`.' }),
  ),
  address: Type.Optional(
    Type.String({ minLength: 1, maxLength: 320, description: 'It is written to, in any case of letters.' }),
  ),
  'requestedBy.user': Type.Optional(line(200, { description: 'User of the calling application.' })),
  'requestedBy.osUser': Type.Optional(line(200, { description: 'User of the workstation.' })),
  'requestedBy.workstation': Type.Optional(line(200, { description: 'Name of the workstation.' })),
  createdFrom: instant('From this time, included.'),
  createdTo: instant('To this time, excluded.'),
  editedFrom: instant('From this time, included.'),
  editedTo: instant('To this time, excluded.'),
  sentFrom: instant('From this time, included.'),
  sentTo: instant('To this time, excluded.'),
  reason: Type.Optional(words(reasonCodes, { description: 'Code of the reason of its status.' })),
  origin: Type.Optional(line(50, { description: 'The `origin` of the send request.' })),
  test: Type.Optional(Type.Boolean({ description: 'Messages of test keys only, or none of them.' })),
};

const MessageFilter = closed(filterFields, {
  description: 'Every condition must hold; times are from (included) to (excluded).',
});

export type MessageFilter = Static<typeof MessageFilter>;

/** The filter as a body member: at least one condition, so that "everything" is never meant by mistake. */
export const MessageFilterBody = closed(filterFields, {
  minProperties: 1,
  description: 'At least one condition; all must hold.',
});

/** Who looks: the tenant, and whether only test messages are shown. */
export interface Viewer {
  tenantId: string;
  testOnly: boolean;
}

function templateCondition(tenantId: string, template: string): SQL {
  if (uuidPattern.test(template)) return eq(messages.templateId, template);
  // The key of a deleted template is free: what it means is the one that has it now, else those that had it.
  return sql`${messages.templateId} in (
    select id from templates where tenant_id = ${tenantId} and key = ${template} and (deleted_at is null or not exists (
      select 1 from templates live where live.tenant_id = ${tenantId} and live.key = ${template} and live.deleted_at is null)))`;
}

function recipientCondition(tenantId: string, reference: string): SQL {
  const named = parseRecipientReference(reference);
  if (named === null) return sql`false`;
  if (named.kind === 'id') return eq(messages.recipientId, named.id);
  const { type, externalId } = named;
  return sql`${messages.recipientId} in (
    select id from recipients where tenant_id = ${tenantId} and type = ${type} and external_id = ${externalId})`;
}

function addressCondition(address: string): SQL {
  const parsed = parseAddrSpec(address);
  return parsed.kind === 'address'
    ? eq(messages.toNormalized, parsed.normalized)
    : // A bad address is kept as it came, and can be found as such.
      sql`${messages.toNormalized} is null and ${messages.toAddress} = ${address}`;
}

type Span = readonly [
  typeof messages.createdAt | typeof messages.editedAt | typeof messages.sentAt,
  string | undefined,
  string | undefined,
];

/** The conditions of a filter, always within the viewer's tenant. */
export function filterConditions(viewer: Viewer, filter: MessageFilter): SQL | undefined {
  const exact = [
    [messages.channel, filter.channel],
    [messages.sendRequestId, filter.sendRequest],
    [messages.contextType, filter.contextType],
    [messages.contextRef, filter.context],
    [messages.requestedByUser, filter['requestedBy.user']],
    [messages.requestedByOsUser, filter['requestedBy.osUser']],
    [messages.requestedByWorkstation, filter['requestedBy.workstation']],
    [messages.reason, filter.reason],
    [messages.origin, filter.origin],
    [messages.test, filter.test],
  ] as const;
  const spans: readonly Span[] = [
    [messages.createdAt, filter.createdFrom, filter.createdTo],
    [messages.editedAt, filter.editedFrom, filter.editedTo],
    [messages.sentAt, filter.sentFrom, filter.sentTo],
  ];
  return and(
    eq(messages.tenantId, viewer.tenantId),
    viewer.testOnly ? eq(messages.test, true) : undefined,
    filter.status === undefined ? undefined : inArray(messages.status, filter.status),
    filter.template === undefined ? undefined : templateCondition(viewer.tenantId, filter.template),
    filter.recipient === undefined ? undefined : recipientCondition(viewer.tenantId, filter.recipient),
    filter.address === undefined ? undefined : addressCondition(filter.address),
    ...exact.map(([column, value]) => (value === undefined ? undefined : sql`${column} = ${value}`)),
    ...spans.flatMap(([column, from, to]) => [
      from === undefined ? undefined : gte(column, new Date(from)),
      to === undefined ? undefined : lt(column, new Date(to)),
    ]),
  );
}
