import Type from 'typebox';
import { closed, key, lifetimeFields, line, nullable, Uuid, words } from '../fields.ts';
import { addressKinds } from './addresses/address-kinds.ts';
import { Doubt } from './addresses/doubts.ts';
import { recipientReferencePattern } from './reference.ts';

/** Ways an organisation may write to people. Messages leave by `mail` today; choices can be kept for all. */
export const channels = ['mail', 'sms', 'letter', 'push', 'portal'] as const;

const locale = Type.String({ pattern: '^[a-z]{2}(-[A-Z]{2})?$', description: 'Language of the person, e.g. `fr-FR`.' });
/** Characters of the role of an address. */
export const roleMost = 50;

const role = line(roleMost, { description: 'What the address is for: personal, institutional, accounting, …' });
const type = key({ description: 'Kind of person or structure: client, student, member, provider, …' });
const externalId = line(200, { description: 'The caller’s own reference, unique per type.' });
/** Characters of the name of an attribute. */
export const attributeNameMost = 200;

const attributes = Type.Record(Type.String({ maxLength: attributeNameMost }), Type.Unknown(), {
  description: 'What the caller knows of them, to be used in texts and filters; at most 32 kB as JSON.',
});

/** One way to reach a recipient. */
const Address = closed({
  kind: words(addressKinds),
  value: Type.String(),
  role: nullable(role),
  preferred: Type.Boolean(),
  acceptsContact: Type.Boolean(),
});

const NewAddress = closed({
  kind: words(addressKinds),
  value: Type.String({
    minLength: 1,
    maxLength: 1000,
    description:
      'For `mail` one strict address without a name. For `mobile` and `landline` a number as it is dialled in the country of the organisation, or with its country code. Only `postal` may have several lines.',
  }),
  role: Type.Optional(nullable(role)),
  preferred: Type.Optional(Type.Boolean({ description: 'At most one of each kind. Default false.' })),
  acceptsContact: Type.Optional(
    Type.Boolean({
      description: 'False: it is never used. Default: as it was for the same address of the record, else true.',
    }),
  ),
});

const givenReference = (description: string) =>
  nullable(
    Type.String({
      maxLength: 400,
      pattern: recipientReferencePattern,
      description: `${description} Id, or \`external:{type}:{externalId}\`.`,
    }),
  );

const relations = {
  householdOf: Type.Optional(
    givenReference(
      'The member of the household: their consents and choices hold for this person, and they are written to (M8, M11).',
    ),
  ),
  referenceContactOf: Type.Optional(givenReference('The structure that is reached through this person (J5, D3).')),
  partOf: Type.Optional(givenReference('The structure that this one is a part of (M11).')),
};

const optional = {
  displayName: Type.Optional(nullable(line(200))),
  locale: Type.Optional(nullable(locale)),
  preferredChannel: Type.Optional(nullable(words(channels))),
  attributes: Type.Optional(attributes),
  addresses: Type.Optional(Type.Array(NewAddress, { maxItems: 20 })),
  ...relations,
};

/** A person or structure, known by the caller's own reference. */
export const Recipient = closed(
  {
    id: Uuid,
    type,
    externalId,
    displayName: nullable(line(200)),
    locale: nullable(locale),
    preferredChannel: nullable(words(channels)),
    attributes,
    addresses: Type.Array(Address),
    warnings: Type.Array(Doubt, { description: 'What looks wrong with the addresses. It stops nothing.' }),
    householdOf: nullable(Uuid),
    referenceContactOf: nullable(Uuid),
    partOf: nullable(Uuid),
    ...lifetimeFields,
  },
  { $id: 'Recipient' },
);

/** Body of `POST /v1/recipients`. */
export const NewRecipient = closed(
  { type, externalId, ...optional },
  {
    examples: [
      {
        type: 'client',
        externalId: 'C-2001',
        displayName: 'Hélène Lefèvre',
        locale: 'fr-FR',
        attributes: { titre: 'Madame', agence: 'Nantes' },
        addresses: [
          { kind: 'mail', value: 'helene.lefevre@courrier.example', role: 'personal', preferred: true },
          { kind: 'postal', value: '3 rue de l’Église\n44000 Nantes', acceptsContact: false },
        ],
      },
    ],
  },
);

/** Body of `PUT /v1/recipients/{id}`: the whole of it; what is absent is emptied. */
export const RecipientContent = closed(
  { type: Type.Optional(type), externalId: Type.Optional(externalId), ...optional },
  {
    examples: [
      {
        displayName: 'Jean-Noël d’Aubigné',
        locale: 'fr-FR',
        attributes: { titre: 'Monsieur' },
        addresses: [{ kind: 'mail', value: 'jn.daubigne@courrier.example', preferred: true }],
      },
    ],
  },
);

/** Body of `PATCH /v1/recipients/{id}`: only what is to change; `attributes` and `addresses` as a whole. */
export const RecipientChange = closed(
  { type: Type.Optional(type), externalId: Type.Optional(externalId), ...optional },
  { minProperties: 1, examples: [{ displayName: 'Hélène Lefèvre-Martin' }] },
);
