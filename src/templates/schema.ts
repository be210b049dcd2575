import Type from 'typebox';
import { closed, Instant, key, lifetimeFields, line, nullable, Uuid, words } from '../fields.ts';
import { fieldsShape } from '../merge-fields/schema.ts';

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
    extraction: nullable(Uuid),
    currentVersion: nullable(Type.Integer()),
    createdBy: nullable(Type.String({ description: 'The person, else the key, that made it.' })),
    updatedBy: nullable(Type.String({ description: 'Who last changed it or its versions.' })),
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

const texts = {
  subject: Type.String({ minLength: 1, maxLength: 2_000, description: 'Liquid; one line once rendered.' }),
  text: Type.String({ minLength: 1, maxLength: 200_000, description: 'Liquid; the text part.' }),
  html: Type.String({ minLength: 1, maxLength: 200_000, description: 'Liquid; values are escaped.' }),
};

/** The texts of a template at one time. A published one never changes. */
export const TemplateVersion = closed(
  {
    templateId: Uuid,
    version: Type.Integer(),
    status: words(['draft', 'published']),
    ...texts,
    usedFields: Type.Array(Type.String(), { description: 'Paths of the merge fields that the texts read.' }),
    fields: nullable(fieldsShape('What it says itself of its fields.')),
    allowUnknown: Type.Boolean({ description: 'It may read fields that nothing gives.' }),
    sender: nullable(Uuid),
    publishedAt: nullable(Instant),
    publishedBy: nullable(Type.String()),
    createdAt: Instant,
  },
  { $id: 'TemplateVersion' },
);

/** Body of `POST /v1/templates/{id}/versions`. */
export const NewTemplateVersion = closed(
  {
    ...texts,
    syntax: Type.Optional(
      words(['liquid', 'braces'], {
        description:
          '`braces`: merge fields are written `{Adr_Nom}` (W1) and are turned into Liquid. Default `liquid`.',
      }),
    ),
    sender: Type.Optional(nullable(line(100, { description: 'Key or id of the sender; null: the tenant’s default.' }))),
    fields: Type.Optional(nullable(fieldsShape('What it says itself of its fields, beside the lists that serve it.'))),
    allowUnknown: Type.Optional(
      Type.Boolean({
        description:
          'Keep it although it reads fields that neither it nor a list of fields gives. A template that says neither trigger nor pages is held to its own `fields` only; without these nothing is unknown.',
      }),
    ),
  },
  {
    examples: [
      {
        subject: 'Votre avis d’échéance {{ contrat }}',
        text: 'Bonjour {{ Adr_Titre }} {{ Adr_Nom }},\n\nVotre échéance de {{ montant }} est due le {{ echeance }}.',
        html: '<p>Bonjour {{ Adr_Titre }} {{ Adr_Nom }},</p><p>Votre échéance de {{ montant }} est due le {{ echeance }}.</p>',
      },
      {
        subject: 'Avis d’échéance',
        text: 'Bonjour {Adr_Titre} {Adr_Nom}',
        html: '<style>p { color: #333 }</style><p>Bonjour {Adr_Titre} {Adr_Nom}</p>',
        syntax: 'braces',
      },
    ],
  },
);

/** Body of `POST /v1/templates/{id}/preview`. */
export const PreviewRequest = closed(
  {
    version: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Default: the published one, else the newest.' }),
    ),
    data: Type.Record(Type.String(), Type.Unknown()),
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

/** How two versions differ, part by part. */
export const VersionDiff = closed(
  {
    from: nullable(Type.Integer({ description: 'Null: there is none before.' })),
    to: Type.Integer(),
    parts: Type.Array(
      closed({
        part: words(['subject', 'text', 'html']),
        changed: Type.Boolean(),
        changes: Type.Array(
          closed({
            kind: words(['same', 'removed', 'added']),
            text: Type.String({ description: 'One or more whole lines.' }),
          }),
        ),
      }),
    ),
  },
  { $id: 'VersionDiff' },
);
