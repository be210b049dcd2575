import Type from 'typebox';
import { closed, Instant, key, line, reference, words } from '../../fields.ts';
import { addressKinds } from '../addresses/address-kinds.ts';
import { recipientReferencePattern } from '../reference.ts';

/** What an attribute may be equal to. */
export type AttributeValue = string | number | boolean | null;

/** A test of one attribute: whatever is given must hold. */
export interface AttributeTest {
  /** `adresse.ville`, or the names one by one where a name has a dot. */
  name: string | string[];
  is?: AttributeValue[];
  contains?: AttributeValue[];
  exists?: boolean;
  from?: number | string;
  to?: number | string;
  fromDays?: number;
  toDays?: number;
}

/** Who is meant: whatever is given must hold. */
export interface AudienceFilter {
  all?: AudienceFilter[];
  any?: AudienceFilter[];
  not?: AudienceFilter;
  type?: string[];
  locale?: (string | null)[];
  attribute?: AttributeTest;
  hasAddress?: { kind: (typeof addressKinds)[number]; role?: string; acceptsContact?: boolean };
  createdFrom?: string;
  createdTo?: string;
  inHouseholdOf?: string;
  respondedTo?: { type: string; ref: string };
}

const filterReference = Type.Unsafe<AudienceFilter>(reference('AudienceFilter'));

const values = (description: string) =>
  Type.Optional(
    Type.Array(Type.Unsafe<AttributeValue>({ type: ['string', 'number', 'boolean', 'null'], maxLength: 1000 }), {
      minItems: 1,
      maxItems: 500,
      description,
    }),
  );

const bound = (description: string) =>
  // The format is of texts only (JSON Schema).
  Type.Optional(Type.Unsafe<number | string>({ type: ['number', 'string'], format: 'date', description }));

const days = (description: string) => Type.Optional(Type.Integer({ minimum: -100_000, maximum: 100_000, description }));

const name = Type.Unsafe<string | string[]>({
  type: ['string', 'array'],
  minLength: 1,
  maxLength: 1000,
  items: { type: 'string', maxLength: 200 },
  minItems: 1,
  maxItems: 8,
  description:
    'Its name; `adresse.ville` is a member of a member. A list of names where a name has a dot: `["adresse", "code.insee"]`.',
});

const Attribute = closed(
  {
    name,
    is: values('It is one of these. `null`: it is there, and null.'),
    contains: values('It is a list (multiple choice) that has at least one of these.'),
    exists: Type.Optional(Type.Boolean({ description: 'It is there and not null; false: it is not there, or null.' })),
    from: bound('It is at least this number, or a date of this day or later.'),
    to: bound('It is at most this number, or a date of this day or earlier.'),
    fromDays: days('It is a date at least so many days from today: -30 is thirty days ago.'),
    toDays: days('It is a date at most so many days from today.'),
  },
  {
    minProperties: 2,
    description:
      'A test of one attribute; whatever is given must hold. Dates are ISO texts (`2026-11-23`, `2026-11-23T09:30:00+01:00`), compared by their day in the organisation’s time zone, as today is.',
  },
);

const HasAddress = closed(
  {
    kind: words(addressKinds),
    role: Type.Optional(line(50, { description: 'What the address is for.' })),
    acceptsContact: Type.Optional(Type.Boolean({ description: 'Absent: either.' })),
  },
  { description: 'One of their addresses is such.' },
);

const RespondedTo = closed(
  { type: line(50, { examples: ['dossier'] }), ref: line(200, { description: 'The `ref` of the context.' }) },
  { description: 'They have answered for this context.' },
);

const locale = Type.Unsafe<string | null>({ type: ['string', 'null'], pattern: '^[a-z]{2}(-[A-Z]{2})?$' });

/** Which recipients are meant. @see AudienceFilter */
export const AudienceFilterSchema = closed(
  {
    all: Type.Optional(
      Type.Array(filterReference, { maxItems: 100, description: 'Each holds. An empty list: everyone.' }),
    ),
    any: Type.Optional(Type.Array(filterReference, { minItems: 1, maxItems: 100, description: 'At least one holds.' })),
    not: Type.Optional(filterReference),
    type: Type.Optional(
      Type.Array(key({ examples: ['client'] }), {
        minItems: 1,
        maxItems: 100,
        description: 'They are of one of these types.',
      }),
    ),
    locale: Type.Optional(
      Type.Array(locale, {
        minItems: 1,
        maxItems: 100,
        description: 'Their language is one of these; `fr` is also `fr-CA`, `null` is none.',
      }),
    ),
    attribute: Type.Optional(Attribute),
    hasAddress: Type.Optional(HasAddress),
    createdFrom: Type.Optional({ ...Instant, description: 'Made at this time or later.' } as typeof Instant),
    createdTo: Type.Optional({ ...Instant, description: 'Made before this time.' } as typeof Instant),
    inHouseholdOf: Type.Optional(
      Type.String({
        maxLength: 400,
        pattern: recipientReferencePattern,
        description: 'They are this recipient, or of their household. Id, or `external:{type}:{externalId}`.',
      }),
    ),
    respondedTo: Type.Optional(RespondedTo),
  },
  {
    $id: 'AudienceFilter',
    minProperties: 1,
    description:
      'Who is meant. Whatever is given must hold; `all`, `any` and `not` take filters again, 8 deep, 200 in all. What a person does not have fits nothing but `not`.',
  },
);

const insured: AudienceFilter = {
  type: ['client'],
  all: [
    { attribute: { name: 'agence', is: ['Nantes', 'Angers'] } },
    { attribute: { name: 'contrats', contains: ['auto', 'habitation'] } },
    { attribute: { name: 'echeance', fromDays: 0, toDays: 30 } },
  ],
  hasAddress: { kind: 'mail', acceptsContact: true },
};
const notYet: AudienceFilter = {
  any: [{ attribute: { name: 'adresse.ville', is: ['Lyon'] } }, { locale: ['fr'] }],
  not: { respondedTo: { type: 'enquete', ref: 'satisfaction-2026' } },
};

/** Bodies that are one filter, for the document. */
export const audienceExamples: readonly AudienceFilter[] = [insured, notYet];

/** A filter as a member of a body. */
export const AudienceFilterBody = filterReference;
