import Type from 'typebox';
import { closed, key, lifetimeFields, line, nullable, Uuid, words } from '../fields.ts';
import { brokenTemplates } from '../merge-fields/broken-schema.ts';
import { fieldsShape } from '../merge-fields/schema.ts';

const columnName = line(100, { examples: ['membre'] });

const fields = {
  title: line(200),
  description: nullable(Type.String({ maxLength: 2_000 })),
  query: Type.String({
    minLength: 1,
    maxLength: 20_000,
    description:
      'postgresql, mariadb: one `select` with the one parameter `:keys`, a list: `= any(:keys)` in PostgreSQL, `in (:keys)` in MariaDB (where an `order by` holds with a `limit` only). http: a path under the source’s `url` with `{keys}` in its query string; the answer is a JSON array of objects.',
  }),
  keyColumn: Type.String({
    ...columnName,
    description: 'The column of the result that says which key a row is for.',
  }),
  keyType: words(['string', 'integer'], { description: 'What the keys are in the source. Default `string`.' }),
  listField: nullable(
    Type.String({
      minLength: 1,
      maxLength: 100,
      description:
        'The rows of a key become a list with this name. Null, the default: one row for each key; its columns are the fields.',
      examples: ['contrats'],
    }),
  ),
  trigger: nullable(words(['person', 'activity'], { description: 'Templates about this may use it; null: all.' })),
  pages: Type.Array(key(), {
    maxItems: 50,
    uniqueItems: true,
    description:
      'Pages where it can serve; none: all. One that says neither trigger nor pages serves the templates that name it.',
  }),
  fields: nullable(fieldsShape('What it gives; null: not said, so templates that name it may read anything.')),
};

/** A named query that gives merge fields (M3). */
export const Extraction = closed(
  {
    id: Uuid,
    key: key(),
    ...fields,
    dataSource: Uuid,
    broken: brokenTemplates('Templates that it serves whose published texts read fields that nothing gives (M5).'),
    ...lifetimeFields,
  },
  { $id: 'Extraction' },
);

const optional = {
  description: Type.Optional(fields.description),
  keyType: Type.Optional(fields.keyType),
  listField: Type.Optional(fields.listField),
  trigger: Type.Optional(fields.trigger),
  pages: Type.Optional(fields.pages),
  fields: Type.Optional(fields.fields),
};

const dataSource = Type.String({ minLength: 1, maxLength: 100, description: 'Key or id.', examples: ['gestion'] });

const exampleFields = {
  type: 'object',
  properties: { cle: { type: 'string' }, nom_benef: { type: 'string', title: 'Nom', examples: ['Lefèvre'] } },
};

/** Body of `POST /v1/extractions`. */
export const NewExtraction = closed(
  {
    key: key(),
    title: fields.title,
    dataSource,
    query: fields.query,
    keyColumn: fields.keyColumn,
    ...optional,
  },
  {
    examples: [
      {
        key: 'beneficiaires',
        title: 'Bénéficiaires',
        dataSource: 'gestion',
        query: 'select membre as cle, nom_benef from benef where membre = any(:keys)',
        keyColumn: 'cle',
        pages: ['beneficiaire'],
        fields: exampleFields,
      },
    ],
  },
);

/** Body of `PATCH /v1/extractions/{id}`. */
export const ExtractionChange = closed(
  {
    title: Type.Optional(fields.title),
    dataSource: Type.Optional(dataSource),
    query: Type.Optional(fields.query),
    keyColumn: Type.Optional(fields.keyColumn),
    ...optional,
  },
  { minProperties: 1, examples: [{ pages: ['beneficiaire', 'dossier'] }] },
);

/** Body of `POST /v1/extractions/{id}/run`. */
export const ExtractionRun = closed(
  {
    keys: Type.Array(line(200), { minItems: 1, maxItems: 100, uniqueItems: true }),
    query: Type.Optional(Type.String({ ...fields.query, description: 'Tried in the place of its own.' })),
    keep: Type.Optional(
      Type.Boolean({ description: 'Keeps the query, and the fields that were found. Default: nothing is kept.' }),
    ),
  },
  { examples: [{ keys: ['B-1', 'B-2'] }] },
);

/** Answer of `POST /v1/extractions/{id}/run`. */
export const ExtractionResult = closed(
  {
    rows: Type.Array(
      closed({
        key: Type.String(),
        data: nullable(Type.Record(Type.String(), Type.Unknown())),
        reason: nullable(words(['extraction_missing', 'extraction_ambiguous'])),
      }),
      { description: 'One for each key, as send requests would have it.' },
    ),
    fields: nullable(
      fieldsShape('The fields that were found; where no row tells any, those that were there. null: none were said.'),
    ),
    broken: brokenTemplates(
      'Templates that would read fields that nothing gives, with the fields that were found (M5).',
    ),
    kept: Type.Boolean(),
  },
  { $id: 'ExtractionResult' },
);
