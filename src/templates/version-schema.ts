import Type from 'typebox';
import { closed, Instant, line, nullable, Uuid, words } from '../fields.ts';
import { fieldsShape } from '../merge-fields/schema.ts';

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

/** A language, or one of a country: `fr`, `fr-CA`. */
export const languageTag = '^[a-z]{2}(-[A-Z]{2})?$';

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
