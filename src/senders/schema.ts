import Type from 'typebox';
import { closed, key, lifetimeFields, line, nullable, Uuid } from '../fields.ts';

const address = Type.String({ minLength: 3, maxLength: 254, description: 'One mail address, without a name.' });

const fields = {
  fromAddress: address,
  fromName: nullable(line(200)),
  replyTo: nullable(address),
  archiveBcc: Type.Array(address, {
    maxItems: 5,
    uniqueItems: true,
    description: 'Addresses that get a hidden copy of every message (W3).',
  }),
  user: nullable(
    line(200, {
      description:
        'The person of the calling application whose own it is: what they ask for (`requestedBy.user`, else `On-Behalf-Of`) comes from it unless the template or the request names a sender (M2).',
    }),
  ),
  signature: nullable(
    Type.String({
      minLength: 1,
      maxLength: 20_000,
      description: 'HTML, literal: templates put it in as `{{ sender.signature }}` (M2).',
    }),
  ),
};

/** Who messages come from. `version` goes up with each change; messages keep the one they were made with. */
export const Sender = closed(
  {
    id: Uuid,
    key: key(),
    ...fields,
    signatureText: nullable(Type.String({ description: 'The signature in text parts, made from the other.' })),
    isDefault: Type.Boolean(),
    version: Type.Integer(),
    ...lifetimeFields,
  },
  { $id: 'Sender' },
);

/** Body of `POST /v1/senders`. */
export const NewSender = closed(
  {
    key: key(),
    fromAddress: fields.fromAddress,
    fromName: Type.Optional(fields.fromName),
    replyTo: Type.Optional(fields.replyTo),
    archiveBcc: Type.Optional(fields.archiveBcc),
    user: Type.Optional(fields.user),
    signature: Type.Optional(fields.signature),
    isDefault: Type.Optional(
      Type.Boolean({ description: 'The first sender is the default one unless it says false.' }),
    ),
  },
  {
    examples: [
      {
        key: 'gestion',
        fromAddress: 'gestion@courtage-dupont.example',
        fromName: 'Courtage Dupont',
        replyTo: 'contact@courtage-dupont.example',
        archiveBcc: ['archives@courtage-dupont.example'],
      },
    ],
  },
);

/** Body of `PATCH /v1/senders/{id}`. */
export const SenderChange = closed(
  {
    fromAddress: Type.Optional(fields.fromAddress),
    fromName: Type.Optional(fields.fromName),
    replyTo: Type.Optional(fields.replyTo),
    archiveBcc: Type.Optional(fields.archiveBcc),
    user: Type.Optional(fields.user),
    signature: Type.Optional(fields.signature),
    isDefault: Type.Optional(
      Type.Literal(true, { description: 'Makes it the default one in the place of the other.' }),
    ),
  },
  { minProperties: 1, examples: [{ fromName: 'Courtage Dupont & Fils' }] },
);
