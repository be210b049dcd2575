import Type from 'typebox';
import { closed, key, lifetimeFields, line, nullable, Uuid, words } from '../../fields.ts';
import { brokenTemplates } from '../../merge-fields/broken-schema.ts';
import { exampleFields, fieldsShape } from '../../merge-fields/schema.ts';

const trigger = (description: string) => nullable(words(['person', 'activity'], { description }));

const fields = {
  title: line(200),
  trigger: trigger('Templates about this may use them; null: all.'),
  pages: Type.Array(key(), { maxItems: 50, uniqueItems: true, description: 'Pages that give them; none: all.' }),
  fields: fieldsShape('The fields.'),
};

/** Fields that a page, or all, of the calling application gives. */
export const FieldList = closed(
  {
    id: Uuid,
    key: key(),
    ...fields,
    broken: brokenTemplates('Templates it serves whose published texts read fields that nothing gives (M5).'),
    ...lifetimeFields,
  },
  { $id: 'FieldList' },
);

/** Body of `POST /v1/field-lists`. */
export const NewFieldList = closed(
  {
    key: key(),
    title: fields.title,
    trigger: Type.Optional(fields.trigger),
    pages: Type.Optional(fields.pages),
    fields: fields.fields,
  },
  {
    examples: [
      { key: 'personne', title: 'Champs d’une personne', trigger: 'person', pages: ['fiche'], fields: exampleFields },
    ],
  },
);

/** Body of `PATCH /v1/field-lists/{id}`. */
export const FieldListChange = closed(
  {
    title: Type.Optional(fields.title),
    trigger: Type.Optional(fields.trigger),
    pages: Type.Optional(fields.pages),
    fields: Type.Optional(fields.fields),
  },
  { minProperties: 1, examples: [{ pages: ['fiche', 'dossier'] }] },
);

/** One field that a template may use. */
export const OfferedField = closed(
  {
    path: Type.String({ description: 'As a template writes it; `[]` stands for each member of a list.' }),
    type: words(['string', 'number', 'integer', 'boolean', 'object', 'array']),
    title: nullable(Type.String()),
    description: nullable(Type.String()),
    format: nullable(words(['date', 'date-time', 'email', 'uri'])),
    example: Type.Unknown({ description: 'The first example; null: none.' }),
    scope: words(['individual', 'shared']),
    source: Type.String({ description: 'Key of the list or the extraction; `service`: given by this service.' }),
  },
  { $id: 'OfferedField' },
);
