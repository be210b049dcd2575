import Type from 'typebox';
import { closed, nullable, words } from '../../fields.ts';
import { checkCodes } from './check.ts';

/** Body of `POST /v1/templates/{id}/check`. */
export const CheckRequest = closed(
  {
    version: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Default: the published one, else the newest.' }),
    ),
    data: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'A sample of what send requests give. Without it the fields are not looked at.',
      }),
    ),
  },
  { examples: [{ data: { Adr_Titre: 'Madame', Adr_Nom: 'D’Hérouville', contrat: 'C-88' } }, {}] },
);

/** What is wrong with a version of a template. */
export const TemplateCheck = closed(
  {
    version: Type.Integer(),
    problems: Type.Array(
      closed({
        code: words(Object.keys(checkCodes)),
        severity: words(['error', 'warning', 'note'], {
          description: '`error`: messages with such data would be `KO`. `note`: worth knowing.',
        }),
        message: Type.String(),
        part: nullable(
          Type.String({
            examples: ['html'],
            description: 'The text as it was written: `subject`, `sections/header`, `locales/en/html`, `to`, …',
          }),
        ),
        line: nullable(Type.Integer({ description: 'From 1.' })),
        column: nullable(Type.Integer({ description: 'From 1.' })),
        subject: nullable(Type.String({ description: 'The field, or what stands there.' })),
        suggestion: nullable(Type.String({ description: 'A field of the sample with nearly the same name.' })),
      }),
      { description: 'Errors first; 500 at most.' },
    ),
  },
  { $id: 'TemplateCheck' },
);
