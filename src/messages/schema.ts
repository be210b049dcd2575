import Type, { type Static } from 'typebox';
import { closed, Instant, lifetimeFields, line, nullable, Uuid, words } from '../fields.ts';
import { MessageFilterBody } from './filter.ts';
import { reasonCodes } from './reasons.ts';
import { deliveries, priorities, statuses } from './status.ts';

const Mailbox = closed({ name: nullable(Type.String()), address: Type.String() });
const status = words(statuses);
const text = nullable(Type.String());

/** One copy (cc, bcc, or the sender's archive) and what became of it. */
const Copy = closed({
  kind: words(['cc', 'bcc', 'archive']),
  name: text,
  address: nullable(Type.String({ description: 'Null once it was erased.' })),
  outcome: words(['pending', 'accepted', 'failed', 'uncertain', 'blocked', 'skipped']),
  reason: text,
  code: nullable(Type.Integer()),
  at: nullable(Instant),
});

/** One recipient, one channel, one address, one content: the thing that has a status. */
export const Message = closed(
  {
    id: Uuid,
    sendRequest: Uuid,
    index: Type.Integer({ description: 'Row of the send request.' }),
    test: Type.Boolean(),
    channel: words(['mail']),
    status,
    delivery: words(deliveries),
    reason: nullable(Type.String({ enum: [...reasonCodes] })),
    reasonText: text,
    reasonDetail: nullable(Type.Record(Type.String(), Type.Unknown())),
    remark: text,
    template: closed({ id: Uuid, version: Type.Integer() }),
    sender: nullable(closed({ id: Uuid, version: Type.Integer() })),
    recipient: nullable(Uuid),
    to: nullable(Mailbox),
    replyTo: text,
    copies: Type.Array(Copy),
    subject: text,
    documents: Type.Array(
      closed({
        id: Uuid,
        filename: Type.String(),
        mediaType: Type.String(),
        size: Type.Integer(),
        sha256: Type.String(),
      }),
    ),
    highPriority: Type.Boolean(),
    priority: words(priorities),
    contentHash: text,
    messageIdentifier: {
      ...text,
      description: 'The part of the Message-ID before @: what to look for in a mail server’s log.',
    } as typeof text,
    validation: words(['manual', 'automatic']),
    validatedByPerson: Type.Boolean(),
    sendAt: nullable(Instant),
    notAfter: nullable(Instant),
    nextTryAt: nullable(Instant),
    editedAt: nullable(Instant),
    sentAt: nullable(Instant),
    attemptCount: Type.Integer(),
    channelAccount: nullable(Uuid),
    providerReference: text,
    redirectedTo: {
      ...text,
      description: 'Where it goes instead of the real people, in a test deployment (A10).',
    } as typeof text,
    origin: Type.String(),
    context: nullable(closed({ type: text, ref: Type.String() })),
    requestedBy: closed({ user: text, osUser: text, workstation: text }),
    erasedAt: {
      ...nullable(Instant),
      description: 'Since when it holds nothing personal any more: what is left is for the counts.',
    } as ReturnType<typeof nullable<typeof Instant>>,
    ...lifetimeFields,
  },
  { $id: 'Message' },
);

/** A message with the data it was made from. */
export const MessageDetails = closed(
  {
    ...Message.properties,
    data: Type.Record(Type.String(), Type.Unknown()),
    overrides: closed({
      subject: Type.Optional(Type.String()),
      text: Type.Optional(Type.String()),
      html: Type.Optional(Type.String()),
    }),
  },
  { $id: 'MessageDetails' },
);

const address = Type.String({ minLength: 1, maxLength: 320 });
const Copies = Type.Array(closed({ address, name: Type.Optional(nullable(line(200))) }), { maxItems: 20 });

/** Body of `PATCH /v1/messages/{id}`. */
export const MessageChange = closed(
  {
    to: Type.Optional(closed({ address, name: Type.Optional(nullable(line(200))) })),
    cc: Type.Optional(Copies),
    bcc: Type.Optional(Copies),
    data: Type.Optional(
      Type.Record(Type.String({ maxLength: 200 }), Type.Unknown(), {
        description: 'Fields to change; the others keep their values.',
      }),
    ),
    documents: Type.Optional(Type.Array(Uuid, { maxItems: 10, uniqueItems: true })),
    subject: Type.Optional(nullable(line(998, { description: 'Literal, never Liquid; null: the template’s again.' }))),
    text: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 200_000 }))),
    html: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 200_000 }))),
    remark: Type.Optional(nullable(Type.String({ maxLength: 2_000 }))),
  },
  {
    minProperties: 1,
    examples: [{ to: { address: 'jeanne.martin@courriel.example' }, remark: 'Adresse corrigée par téléphone' }],
  },
);

export type MessageChangeBody = Static<typeof MessageChange>;

const remark = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 2_000,
    description: 'Why, in words; kept with the move. When blocked it is the remark, too, of a message that has none.',
  }),
);
const contentHash = Type.Optional(
  Type.String({
    pattern: '^[0-9a-f]{64}$',
    description: 'What was seen: refused when the content is no longer this one.',
  }),
);

/** Body of an action on one message. */
export const Action = closed({ contentHash, reason: remark }, { examples: [{ reason: 'Vu avec le client' }, {}] });

/** Body of an action on many messages. */
export const BulkAction = closed(
  {
    ids: Type.Optional(Type.Array(Uuid, { minItems: 1, maxItems: 1_000, uniqueItems: true })),
    filter: Type.Optional(MessageFilterBody),
    reason: remark,
  },
  { examples: [{ filter: { status: ['E'], context: 'D-2026-000123' }, reason: 'Édition du 22 novembre' }] },
);

/** Body of `POST /v1/messages/{id}/resolve`. */
export const Resolution = closed(
  { outcome: words(['sent', 'notSent']), reason: remark },
  { examples: [{ outcome: 'sent', reason: 'Confirmé par le journal du serveur' }] },
);

/** Answer of an action on many messages: all that matched are done or refused. */
export const ActionResult = closed(
  {
    matched: Type.Integer(),
    done: Type.Integer(),
    refused: Type.Array(
      closed({ id: Uuid, code: Type.String(), status: Type.Optional(status), reason: Type.Optional(Type.String()) }),
    ),
  },
  { $id: 'ActionResult' },
);

/** A move of a message. */
export const Transition = closed(
  {
    id: Uuid,
    at: Instant,
    from: nullable(status),
    to: status,
    actor: closed({ kind: words(['key', 'service']), keyId: nullable(Uuid), user: text }),
    reason: text,
    reasonText: text,
    remark: text,
  },
  { $id: 'Transition' },
);

/** One try to hand a message to a provider. `outcome` is null while it is open. */
export const Attempt = closed(
  {
    id: Uuid,
    number: Type.Integer(),
    channelAccount: Uuid,
    contentRevision: Type.Integer(),
    startedAt: Instant,
    finishedAt: nullable(Instant),
    durationMs: nullable(Type.Integer()),
    outcome: nullable(words(['accepted', 'transient', 'permanent', 'account_fault', 'uncertain', 'not_begun'])),
    reason: text,
    step: text,
    code: nullable(Type.Integer()),
    enhancedCode: text,
    answer: text,
    copies: Type.Array(closed({ address: text, outcome: Type.String(), reason: text, code: nullable(Type.Integer()) })),
    lateOutcome: text,
  },
  { $id: 'Attempt' },
);

/** The rendered parts of a message. */
export const MessagePreview = closed(
  { subject: Type.String(), text: Type.String(), html: Type.String(), contentHash: Type.String(), redirectedTo: text },
  { $id: 'MessagePreview' },
);

/** Why a message is where it is. */
export const MessageExplanation = closed(
  {
    id: Uuid,
    status: words(statuses),
    reason: nullable(Type.String({ enum: [...reasonCodes] })),
    rule: nullable(
      words(['contact', 'choice', 'consent', 'suppression'], {
        description: 'The rule that stopped it; null: none did.',
      }),
    ),
    facts: nullable(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'What the rule rested on when it decided: ids, codes and times, nothing personal.',
      }),
    ),
    sentences: Type.Array(Type.String(), {
      description:
        'In the language of `Accept-Language`: French or English. Copies that were left out are named by their place in `copies` of the message, from 1.',
    }),
  },
  { $id: 'MessageExplanation' },
);
