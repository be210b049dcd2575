import Type, { type Static } from 'typebox';
import { closed, Instant, key, lifetimeFields, line, nullable, Uuid, words } from '../fields.ts';
import { reasonCodes } from '../messages/reasons.ts';
import { priorities, statuses } from '../messages/status.ts';
import { addressPolicyPattern } from '../tenants/address-policy.ts';

/** Most recipients of one request. */
export const maximumRecipients = 10_000;

// Not checked for its form here: a bad address is an error of its row, not of the whole request.
const address = Type.String({ minLength: 1, maxLength: 320 });

const InlineMailbox = closed({ address, name: Type.Optional(nullable(line(200))) });
const Copies = Type.Array(InlineMailbox, { maxItems: 20 });

const Context = closed(
  { type: line(50), ref: line(200) },
  { description: 'What it is about in the calling application, e.g. a file number.' },
);

const RequestedBy = closed(
  {
    user: Type.Optional(nullable(line(200))),
    osUser: Type.Optional(nullable(line(200))),
    workstation: Type.Optional(nullable(line(200))),
  },
  { description: 'Who asked, inside the calling application (W7).' },
);

const Data = Type.Record(Type.String({ maxLength: 200 }), Type.Unknown());

const RecipientRow = closed({
  recipient: Type.Optional(
    Type.String({ minLength: 1, maxLength: 400, description: 'Id, or `external:{type}:{externalId}`.' }),
  ),
  to: Type.Optional(InlineMailbox),
  contact: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 400,
      description:
        'The person through whom the recipient, a structure, is reached for this matter (D3): id, or `external:{type}:{externalId}`. Where they have no address, as without.',
    }),
  ),
  locale: Type.Optional(
    Type.String({
      pattern: '^[a-z]{2}(-[A-Z]{2})?$',
      description: 'Language, where the template has it; default: that of the recipient’s record, else the tenant’s.',
    }),
  ),
  key: Type.Optional(
    line(200, {
      description: 'What the extraction is asked about; its fields are the row’s, under the `data` that is given.',
      examples: ['B-1'],
    }),
  ),
  data: Type.Optional(Data),
  documents: Type.Optional(Type.Array(Uuid, { maxItems: 10, uniqueItems: true })),
  cc: Type.Optional(Copies),
  bcc: Type.Optional(Copies),
  dedupeKey: Type.Optional(
    line(200, { description: 'Unique per tenant and template: a repeat answers the message that exists.' }),
  ),
  context: Type.Optional(Context),
  remark: Type.Optional(Type.String({ maxLength: 2_000 })),
});

const Overrides = closed(
  {
    subject: Type.Optional(line(998)),
    text: Type.Optional(Type.String({ minLength: 1, maxLength: 200_000 })),
    html: Type.Optional(Type.String({ minLength: 1, maxLength: 200_000 })),
    sender: Type.Optional(line(100)),
    replyTo: Type.Optional(address),
  },
  { description: 'Literal texts in the place of the template’s; never read as Liquid.' },
);

const validation = words(['manual', 'automatic']);
const addressPolicy = Type.String({
  pattern: addressPolicyPattern,
  description:
    'Which addresses of recipients are written to (A9); default: that of the template, else the tenant’s. `both` makes two messages of a row.',
  examples: ['personal-first'],
});
const priority = words(priorities);
const mode = words(['partial', 'all-or-nothing'], {
  description:
    '`partial`: good rows are accepted, bad ones are kept as `KO`. `all-or-nothing`: one bad row refuses all.',
});

const broker = {
  template: 'avis-echeance',
  recipients: [
    {
      to: { address: 'jeanne.dherouville@courriel.example', name: 'Jeanne D’Hérouville' },
      data: {
        Adr_Titre: 'Madame',
        Adr_Nom: 'D’Hérouville',
        contrat: 'C-88',
        montant: '1 234,56 €',
        echeance: '1er janvier 2027',
      },
      context: { type: 'dossier', ref: 'D-2026-000123' },
    },
  ],
  requestedBy: { user: 'mmartin', osUser: 'COURTAGE\\mmartin', workstation: 'POSTE-12' },
};

/** Body of `POST /v1/send-requests`. */
export const NewSendRequest = closed(
  {
    template: Type.Optional(line(100, { description: 'Key or id.' })),
    templates: Type.Optional(
      Type.Array(line(100), {
        minItems: 1,
        maxItems: 10,
        uniqueItems: true,
        description: 'One message each per recipient.',
      }),
    ),
    templateVersion: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        description: 'A published one; default: the current. Only with `template`.',
      }),
    ),
    documentType: Type.Optional(
      key({
        description: 'In the place of a template: the one of this document type, else the tenant’s default (W2).',
      }),
    ),
    notificationType: Type.Optional(
      line(100, {
        description:
          'In the place of a template: key or id of a kind of notice. Each person gets it by every channel that the organisation offers, the person accepts, and an active template serves: one message each (M9). Of several templates of a channel the one whose `recipientTypes` name the type of the recipient, else the oldest that is for all.',
        examples: ['avis-echeance'],
      }),
    ),
    extraction: Type.Optional(
      line(100, {
        description:
          'Key or id of the extraction that rows with a `key` have their fields from, in the place of the templates’ own. Needs the scope `extractions:read`.',
      }),
    ),
    recipients: Type.Array(RecipientRow, { minItems: 1, maxItems: maximumRecipients }),
    data: Type.Optional(Data),
    documents: Type.Optional(
      Type.Array(Uuid, { maxItems: 10, uniqueItems: true, description: 'Attached to every message.' }),
    ),
    addressPolicy: Type.Optional(addressPolicy),
    mode: Type.Optional(mode),
    confirm: Type.Optional(
      Type.Boolean({ description: '`false`: a draft, which makes no message until it is confirmed (W6).' }),
    ),
    validation: Type.Optional(validation),
    sendAt: Type.Optional(Instant),
    notAfter: Type.Optional(Instant),
    window: Type.Optional(
      closed(
        { from: Instant, to: Instant },
        { description: 'In the place of `sendAt` and `notAfter`: it leaves from `from` on, never after `to`.' },
      ),
    ),
    editedAt: Type.Optional(Instant),
    priority: Type.Optional(priority),
    highPriority: Type.Optional(Type.Boolean({ description: 'Marks the mail itself as important.' })),
    origin: Type.Optional(line(50)),
    context: Type.Optional(Context),
    requestedBy: Type.Optional(RequestedBy),
    overrides: Type.Optional(Overrides),
    recordEvent: Type.Optional(
      Type.Boolean({ description: 'Asks the caller’s record to keep it in its history; told with the events.' }),
    ),
    dryRun: Type.Optional(Type.Boolean({ description: 'Everything is checked and rendered; nothing is kept.' })),
  },
  {
    examples: [
      broker,
      {
        documentType: 'avis-echeance',
        mode: 'partial',
        validation: 'manual',
        priority: 'bulk',
        confirm: false,
        recipients: [
          {
            recipient: 'external:client:C-1001',
            data: {
              Adr_Titre: 'Monsieur',
              Adr_Nom: 'Müller',
              contrat: 'C-89',
              montant: '98,70 €',
              echeance: '1er janvier 2027',
            },
            dedupeKey: 'C-89/2027',
          },
        ],
      },
      { ...broker, dryRun: true },
    ],
  },
);

/** The body of a send request, as callers send it. */
export type SendRequestBody = Static<typeof NewSendRequest>;

/** Body of `PATCH /v1/send-requests/{id}`. */
export const SendRequestChange = closed(
  { sendAt: Type.Optional(nullable(Instant)), notAfter: Type.Optional(nullable(Instant)) },
  { minProperties: 1, examples: [{ sendAt: '2199-01-04T08:00:00+01:00' }] },
);

/** Body of `POST /v1/send-requests/{id}/confirm`. */
export const Confirmation = closed(
  { editedAt: Type.Optional(Instant) },
  { examples: [{ editedAt: '2026-11-22T10:00:00+01:00' }] },
);

const Counts = closed(
  {
    created: Type.Integer(),
    E: Type.Integer(),
    V: Type.Integer(),
    OK: Type.Integer(),
    KO: Type.Integer(),
    B: Type.Integer(),
  },
  { description: 'created = E + V + OK + KO + B, at every moment.' },
);

/** One order to send. */
export const SendRequest = closed(
  {
    id: Uuid,
    status: words(['draft', 'accepted', 'cancelled']),
    test: Type.Boolean(),
    templates: Type.Array(closed({ id: Uuid, key: Type.String(), version: Type.Integer() })),
    documentType: nullable(Type.String()),
    mode,
    validation,
    sendAt: nullable(Instant),
    notAfter: nullable(Instant),
    editedAt: nullable(Instant),
    priority,
    highPriority: Type.Boolean(),
    origin: Type.String(),
    context: nullable(Context),
    requestedBy: closed({
      user: nullable(Type.String()),
      osUser: nullable(Type.String()),
      workstation: nullable(Type.String()),
    }),
    recordEvent: Type.Boolean(),
    recipientCount: Type.Integer(),
    counts: Counts,
    confirmedAt: nullable(Instant),
    cancelledAt: nullable(Instant),
    ...lifetimeFields,
  },
  { $id: 'SendRequest' },
);

/** What became of the rows of a request: by index, without personal data. */
export const SendRequestResult = closed(
  {
    id: nullable(Uuid),
    status: words(['draft', 'accepted', 'dry-run']),
    counts: Counts,
    messages: Type.Array(
      closed({
        index: Type.Integer(),
        template: Type.String(),
        id: nullable(Uuid),
        status: words(statuses),
        reason: nullable(Type.String({ enum: [...reasonCodes] })),
      }),
    ),
    errors: Type.Array(
      closed({ index: Type.Integer(), pointer: Type.String(), code: Type.String(), message: Type.String() }),
    ),
    repeated: Type.Array(closed({ index: Type.Integer(), template: Type.String(), messageId: nullable(Uuid) }), {
      description:
        'Rows whose `dedupeKey` was used before: the message that exists. `messageId` is null where the first use is in a row of this request that is not kept (a draft, a dry run).',
    }),
  },
  { $id: 'SendRequestResult' },
);

/** Answer of `POST /v1/send-requests/{id}/cancel`. */
export const Cancelled = closed({
  id: Uuid,
  blocked: Type.Integer(),
  refused: Type.Array(closed({ id: Uuid, code: Type.String() }), { description: 'Messages that were being sent.' }),
});
