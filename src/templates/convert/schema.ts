import Type from 'typebox';
import { closed, nullable, words } from '../../fields.ts';
import { oldSyntaxes } from './convert.ts';

const text = (maxLength: number, description: string) => Type.Optional(Type.String({ maxLength, description }));

/** Body of `POST /v1/templates/convert`. */
export const ConversionRequest = closed(
  {
    subject: text(2_000, 'In the old syntax.'),
    text: text(200_000, 'In the old syntax.'),
    html: text(200_000, 'In the old syntax; entities in a field stand for their letters.'),
    syntaxes: Type.Optional(
      Type.Array(words(oldSyntaxes), {
        minItems: 1,
        maxItems: oldSyntaxes.length,
        uniqueItems: true,
        description:
          'Fields to look for: `dollar` is `${field}` and `$(field)`, `braces` is `{Adr_Nom}`, `brackets` is `[URL_PJ_WEB]`. Default: all.',
      }),
    ),
  },
  {
    minProperties: 1,
    examples: [
      {
        subject: 'Votre rendez-vous du ${action_date# j F Y à H:i}',
        html: '<style>p{color:#333}</style><p>Bonjour ${personne/personne_prenom}, ${2+2}</p>',
      },
      { text: 'Bonjour {Adr_Titre} {Adr_Nom}, déposez vos pièces : [URL_PJ_WEB]', syntaxes: ['braces', 'brackets'] },
    ],
  },
);

/** Texts in Liquid, and what became of each field. */
export const TemplateConversion = closed(
  {
    subject: Type.Optional(Type.String()),
    text: Type.Optional(Type.String()),
    html: Type.Optional(Type.String()),
    fields: Type.Array(
      closed({
        part: words(['subject', 'text', 'html']),
        field: Type.String({ description: 'As it was written.' }),
        liquid: nullable(Type.String({ description: 'What stands there now; null: as before.' })),
        outcome: words(['converted', 'renamed', 'not_understood'], {
          description: '`renamed`: whoever gives the data must use the new name.',
        }),
        line: Type.Integer({ description: 'Of the first place, from 1.' }),
        count: Type.Integer({ description: 'Places where it is written like this.' }),
      }),
      { description: 'A line for each field, in the order of the texts.' },
    ),
    problems: Type.Array(
      closed({
        part: words(['subject', 'text', 'html']),
        message: Type.String(),
        line: nullable(Type.Integer()),
        column: nullable(Type.Integer()),
      }),
      { description: 'Why a part could not be saved as it is now; none: all could.' },
    ),
  },
  { $id: 'TemplateConversion' },
);
