import Type from 'typebox';
import { closed, Instant, key, lifetimeFields, line, nullable, Uuid, words } from '../fields.ts';
import { fieldsShape } from './fields/schema.ts';

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
  validation: nullable(
    words(['manual', 'automatic'], {
      description:
        '`manual` holds for every send request; `automatic` needs a key with `messages:validate`. Null: as the tenant says.',
    }),
  ),
  consentPurpose: nullable(
    words(['management', 'prospecting', 'third-party'], {
      description:
        'What recipients must have consented to (M8): level 1, 2 or 3. Kept with the template; consents are not kept by this version of the service.',
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
  validation: Type.Optional(fields.validation),
  consentPurpose: Type.Optional(fields.consentPurpose),
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
    currentVersion: nullable(Type.Integer()),
    createdBy: nullable(Type.String({ description: 'The person, else the key, that made it.' })),
    updatedBy: nullable(Type.String({ description: 'Who last changed it or its versions.' })),
    counters: closed(
      { E: Type.Integer(), V: Type.Integer(), OK: Type.Integer(), KO: Type.Integer(), B: Type.Integer() },
      { description: 'Messages made with it, of every version, by status; test messages are not counted.' },
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

const rendered = closed({
  subject: Type.String(),
  text: Type.String({ description: 'Empty: there is none.' }),
  html: Type.String({ description: 'Empty: there is none.' }),
});

const source = (description: string) => Type.String({ minLength: 1, maxLength: 200_000, description });
const section = Type.Optional(source('Liquid, HTML.'));

const writtenTexts = {
  subject: Type.String({ minLength: 1, maxLength: 2_000, description: 'Liquid; one line once rendered.' }),
  html: Type.Optional(source('Liquid; values are escaped. The rules of a style sheet are put onto the elements.')),
  text: Type.Optional(source('Liquid; the text part. Where there is none it is made from the HTML.')),
  mjml: Type.Optional(source('MJML with Liquid; a tag between elements stands in an `mj-raw`.')),
  sections: Type.Optional(
    closed(
      { header: section, body: section, list: section, information: section, signature: section },
      { description: 'What stands in the places of the layout (A8).' },
    ),
  ),
};

const languageTag = '^[a-z]{2}(-[A-Z]{2})?$';

const written = {
  ...writtenTexts,
  locales: Type.Optional(
    Type.Record(Type.String({ pattern: languageTag }), closed(writtenTexts), {
      additionalProperties: false,
      maxProperties: 20,
      description:
        'The texts in other languages, for recipients who have one of them (`fr-CA`, else `fr`); all others get those above.',
    }),
  ),
  to: Type.Optional(
    nullable(
      Type.String({
        minLength: 1,
        maxLength: 2_000,
        description:
          'Liquid that gives the address to write to, e.g. `{{ mail_comptable }}` (M4). A `to` in the request comes before it, an address of the recipient’s record behind it.',
      }),
    ),
  ),
};

/** The texts of a template at one time. A published one never changes. */
export const TemplateVersion = closed(
  {
    templateId: Uuid,
    version: Type.Integer(),
    status: words(['draft', 'published']),
    ...rendered.properties,
    locales: Type.Record(Type.String(), rendered),
    to: nullable(Type.String()),
    written: closed(
      { ...writtenTexts, locales: Type.Optional(Type.Record(Type.String(), closed(writtenTexts))) },
      { description: 'What the texts were made from, as it was given.' },
    ),
    layoutId: nullable(Uuid),
    layoutVersion: nullable(Type.Integer()),
    usedFields: Type.Array(Type.String(), { description: 'Paths of the merge fields that the texts read.' }),
    fields: nullable(fieldsShape('What it says itself of its fields.')),
    allowUnknown: Type.Boolean({ description: 'It may read fields that nothing gives.' }),
    senderId: nullable(Uuid),
    documents: Type.Array(Uuid, { description: 'Attached to every message.' }),
    publishedAt: nullable(Instant),
    publishedBy: nullable(Type.String()),
    createdAt: Instant,
  },
  { $id: 'TemplateVersion' },
);

/** Body of `POST /v1/templates/{id}/versions`. */
export const NewTemplateVersion = closed(
  {
    ...written,
    layoutId: Type.Optional(nullable(line(100, { description: 'Key or id of the layout of the sections.' }))),
    syntax: Type.Optional(
      words(['liquid', 'braces'], {
        description:
          '`braces`: merge fields are written `{Adr_Nom}` (W1) and are turned into Liquid. Default `liquid`.',
      }),
    ),
    senderId: Type.Optional(
      nullable(
        line(100, { description: 'Key or id of the sender; null: that of whoever asks, else the tenant’s default.' }),
      ),
    ),
    documents: Type.Optional(
      Type.Array(Uuid, { maxItems: 10, uniqueItems: true, description: 'Attached to every message.' }),
    ),
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
      {
        subject: 'Votre remboursement du {{ date_remboursement | long_date }}',
        mjml: '<mjml><mj-body><mj-section><mj-column><mj-text>Bonjour {{ nom_benef }}</mj-text></mj-column></mj-section></mj-body></mjml>',
        to: '{{ mail_prof_sante }}',
        locales: { en: { subject: 'Your refund', text: 'Dear {{ nom_benef }}' } },
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
    locale: Type.Optional(
      Type.String({ pattern: languageTag, description: 'Language of a recipient; default: the tenant’s.' }),
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
