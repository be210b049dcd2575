import Type from 'typebox';
import { closed, Instant, lifetimeFields, line, nullable, Uuid, words } from '../fields.ts';

/** Channels that an address can be suppressed on. */
const channels = ['mail'] as const;

/** Why an address is not to be used any more. */
const causes = ['bounce', 'complaint', 'unsubscribed', 'manual'] as const;

const channel = words(channels, { description: 'The channel by which it is not written to.' });
const cause = words(causes, {
  description: 'It does not exist or takes nothing, its owner complained, asked to be left alone, or a person decided.',
});
const note = line(500, { examples: ['Demande du client par téléphone'] });

const suppressionFields = {
  id: Uuid,
  channel,
  address: nullable(Type.String({ description: 'In its compared form; null once it was forgotten.' })),
  cause,
  since: Instant,
  note: nullable(note),
  ...lifetimeFields,
};

/** An address never to be used again, with its cause. */
export const Suppression = closed(suppressionFields, { $id: 'Suppression' });

/** The same, when it is made: with what became of the messages that waited. */
export const SuppressionMade = closed(
  {
    ...suppressionFields,
    blocked: Type.Integer({ description: 'Messages in `E` or `V` that are `B` `suppressed` now.' }),
    beingSent: Type.Integer({ description: 'Messages that were being sent and could not be stopped.' }),
  },
  { $id: 'SuppressionMade' },
);

/** Body of `POST /v1/suppressions`. */
export const NewSuppression = closed(
  {
    channel: Type.Optional({ ...channel, description: 'Default `mail`.' } as typeof channel),
    address: Type.String({ minLength: 1, maxLength: 320, description: 'One strict address without a name.' }),
    cause,
    since: Type.Optional({ ...Instant, description: 'Default: now. Not in the future.' } as typeof Instant),
    note: Type.Optional(nullable(note)),
  },
  {
    examples: [
      { address: 'ancienne.adresse@courrier.example', cause: 'bounce', since: '2026-03-02T08:00:00+01:00' },
      { address: 'ne.plus.ecrire@courrier.example', cause: 'manual', note: 'Demande du client par téléphone' },
    ],
  },
);

/** Body of `PATCH /v1/suppressions/{id}`. The address never changes: lift it and suppress the other. */
export const SuppressionChange = closed(
  { cause: Type.Optional(cause), note: Type.Optional(nullable(note)) },
  { minProperties: 1, examples: [{ cause: 'complaint', note: 'Plainte reçue par courrier' }] },
);
