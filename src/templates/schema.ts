import Type from 'typebox';
import { closed, key, lifetimeFields, line, nullable, Uuid, words } from '../fields.ts';
import { addressPolicyPattern } from '../tenants/address-policy.ts';
import { languageTag } from './version-schema.ts';

const fields = {
  title: line(200),
  description: nullable(Type.String({ maxLength: 2_000 })),
  family: nullable(line(100)),
  category: words(['transactional', 'service', 'marketing']),
  recipientTypes: Type.Array(key(), {
    maxItems: 50,
    uniqueItems: true,
    description: 'Recipient types it may go to; none: all.',
  }),
  documentTypes: Type.Array(key(), {
    maxItems: 50,
    uniqueItems: true,
    description: 'Document types it is the content of: send requests that name one of them use this template.',
  }),
  pages: Type.Array(key(), {
    maxItems: 50,
    uniqueItems: true,
    description: 'Pages of the calling application where it is offered (`?page=`); none: everywhere.',
  }),
  trigger: nullable(
    words(['person', 'activity'], {
      description: 'What it is about, and so which fields it may use. Null: not said.',
    }),
  ),
  notificationType: nullable(
    line(100, { description: 'Key or id of the notification type that recipients choose or refuse.' }),
  ),
  extraction: nullable(
    line(100, {
      description: 'Key or id of the extraction that gives its fields, for rows that have a `key` (M4). Null: none.',
    }),
  ),
  validation: nullable(
    words(['manual', 'automatic'], {
      description:
        '`manual` holds for every send request; `automatic` needs a key with `messages:validate`. Null: as the tenant says.',
    }),
  ),
  consentPurpose: nullable(
    words(['management', 'prospecting', 'third-party'], {
      description:
        'What recipients must have consented to (M8): level 1, 2 or 3. Null: `management`, which only a refusal (level 0) stops; of the category `marketing` without a notification type: `prospecting`.',
    }),
  ),
  addressPolicy: nullable(
    Type.String({
      pattern: addressPolicyPattern,
      description: 'Which addresses of recipients are written to (A9, M11). Null: as the tenant says.',
      examples: ['role:accounting'],
    }),
  ),
  resendAllowed: Type.Boolean({
    description:
      'Whether somebody may receive it again for the same thing, from an automatic sending (D9). Kept with the template; this version of the service has no automatic sendings.',
  }),
  active: Type.Boolean(),
};

const optional = {
  description: Type.Optional(fields.description),
  family: Type.Optional(fields.family),
  category: Type.Optional(fields.category),
  recipientTypes: Type.Optional(fields.recipientTypes),
  documentTypes: Type.Optional(fields.documentTypes),
  pages: Type.Optional(fields.pages),
  trigger: Type.Optional(fields.trigger),
  notificationType: Type.Optional(fields.notificationType),
  extraction: Type.Optional(fields.extraction),
  validation: Type.Optional(fields.validation),
  consentPurpose: Type.Optional(fields.consentPurpose),
  addressPolicy: Type.Optional(fields.addressPolicy),
  resendAllowed: Type.Optional(fields.resendAllowed),
  active: Type.Optional(fields.active),
};

/** What to write. `currentVersion` is null until a version is published. */
export const Template = closed(
  {
    id: Uuid,
    key: key(),
    channel: words(['mail']),
    ...fields,
    notificationType: nullable(Type.String()),
    disabledReason: nullable(
      words(['timeouts'], {
        description:
          'Why the service made it inactive. `timeouts`: rendering it ended a thread five times within an hour. Null once it is active again.',
      }),
    ),
    extraction: nullable(Uuid),
    currentVersion: nullable(Type.Integer()),
    createdBy: nullable(Type.String({ description: 'The person, else the key, that made it.' })),
    updatedBy: nullable(Type.String({ description: 'Who last changed it or its versions.' })),
    counters: nullable(
      closed(
        { E: Type.Integer(), V: Type.Integer(), OK: Type.Integer(), KO: Type.Integer(), B: Type.Integer() },
        {
          description:
            'Messages made with it, of every version, by status; test messages are not counted. Null in a list that was not asked for them.',
        },
      ),
    ),
    ...lifetimeFields,
  },
  { $id: 'Template' },
);

/** Body of `POST /v1/templates`. */
export const NewTemplate = closed(
  { key: key(), title: fields.title, channel: words(['mail']), ...optional },
  {
    examples: [
      {
        key: 'relance-echeance',
        title: 'Relance d’échéance',
        channel: 'mail',
        category: 'transactional',
        documentTypes: ['relance-echeance'],
        notificationType: 'ae-par-mail',
      },
    ],
  },
);

/** Body of `PATCH /v1/templates/{id}`. */
export const TemplateChange = closed(
  { title: Type.Optional(fields.title), ...optional },
  { minProperties: 1, examples: [{ title: 'Avis d’échéance annuel' }] },
);

/** Body of `POST /v1/templates/{id}/preview`. */
export const PreviewRequest = closed(
  {
    version: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Default: the published one, else the newest.' }),
    ),
    data: Type.Record(Type.String(), Type.Unknown()),
    recipient: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 400,
        description:
          'Somebody to look for (M7): id, or `external:{type}:{externalId}`. Needs the scope `recipients:read`.',
        examples: ['external:client:C-1001'],
      }),
    ),
    contact: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 400,
        description: 'The person through whom the `recipient` would be reached for this matter, as in a send request.',
      }),
    ),
    locale: Type.Optional(
      Type.String({
        pattern: languageTag,
        description: 'Language of the texts; default: that of whoever would be written to, else the tenant’s.',
      }),
    ),
  },
  {
    examples: [
      {
        data: {
          Adr_Titre: 'Madame',
          Adr_Nom: 'D’Hérouville',
          contrat: 'C-88',
          montant: '1 234,56 €',
          echeance: '1er janvier 2027',
        },
      },
    ],
  },
);

/** The rendered parts, as a message with this data would have them. */
export const TemplatePreview = closed(
  {
    version: Type.Integer(),
    locale: Type.String(),
    to: nullable(Type.String({ description: 'What the template’s expression of the address gives.' })),
    defaults: nullable(
      closed({
        to: closed({ name: nullable(Type.String()), address: nullable(Type.String()) }),
        sender: nullable(
          closed({ id: Uuid, key: Type.String(), fromName: nullable(Type.String()), fromAddress: Type.String() }),
        ),
        reason: nullable(
          Type.String({ description: 'Why it could not be sent as it is, e.g. `consent_refused`; null: it can.' }),
        ),
        also: Type.Array(
          closed({
            to: closed({ name: nullable(Type.String()), address: nullable(Type.String()) }),
            reason: nullable(Type.String()),
          }),
          { description: 'Further messages, where the address policy writes to several addresses.' },
        ),
      }),
    ),
    subject: Type.String(),
    text: Type.String(),
    html: Type.String(),
    size: closed(
      { subject: Type.Integer(), text: Type.Integer(), html: Type.Integer() },
      { description: 'Bytes of UTF-8.' },
    ),
    hash: Type.String({ description: 'SHA-256 of the three parts.' }),
  },
  { $id: 'TemplatePreview' },
);
