import Type from 'typebox';
import { closed, Instant, key, lifetimeFields, line, nullable, Uuid, words } from '../../fields.ts';
import { channels } from '../schema.ts';
import { consentKinds } from './consent-levels.ts';

const notificationTypeFields = {
  title: line(200),
  active: Type.Boolean({ description: 'Inactive: nothing is sent, whatever the channels.' }),
  channels: Type.Array(words(channels), {
    maxItems: channels.length,
    uniqueItems: true,
    description: 'The channels the organisation offers for it.',
  }),
  defaultChoice: words(['on', 'off'], {
    description: 'What holds for a person who has said nothing. `off`: the box must be ticked (W5).',
  }),
  subscription: Type.Boolean({
    description:
      'Mail of this kind carries a link to unsubscribe, and the one click of mail programs (RFC 8058). Default: false.',
  }),
};

/** A kind of notice of the tenant's catalogue (W5, M9). */
export const NotificationType = closed(
  { id: Uuid, key: key(), ...notificationTypeFields, ...lifetimeFields },
  { $id: 'NotificationType' },
);

/** Body of `POST /v1/notification-types`. */
export const NewNotificationType = closed(
  {
    key: key(),
    title: notificationTypeFields.title,
    active: Type.Optional(notificationTypeFields.active),
    channels: Type.Optional(notificationTypeFields.channels),
    defaultChoice: notificationTypeFields.defaultChoice,
    subscription: Type.Optional(notificationTypeFields.subscription),
  },
  { examples: [{ key: 'relance-impaye', title: 'Relance d’impayé', channels: ['mail'], defaultChoice: 'off' }] },
);

/** Body of `PATCH /v1/notification-types/{id}`. The key never changes: callers refer to it. */
export const NotificationTypeChange = closed(
  {
    title: Type.Optional(notificationTypeFields.title),
    active: Type.Optional(notificationTypeFields.active),
    channels: Type.Optional(notificationTypeFields.channels),
    defaultChoice: Type.Optional(notificationTypeFields.defaultChoice),
    subscription: Type.Optional(notificationTypeFields.subscription),
  },
  { minProperties: 1, examples: [{ title: 'Avis d’échéance (prélèvement)' }] },
);

const chosenFields = {
  source: nullable(Type.String()),
  author: nullable(Type.String({ description: 'The person behind the key, else the id of the key.' })),
};

const saidBy = { ...Uuid, description: 'Who said it: the person, or the member of their household.' } as typeof Uuid;

/** The catalogue as one person sees it: each type, each of its channels, and what holds. */
export const Choices = closed(
  {
    choices: Type.Array(
      closed({
        notificationType: Type.String({ description: 'Key of the notification type.' }),
        notificationTypeId: Uuid,
        title: line(200),
        active: notificationTypeFields.active,
        channel: words(channels),
        accepted: Type.Boolean({
          description:
            'What holds: what was chosen, else the default of the type. Of a household: what its member chose, unless the person refused.',
        }),
        chosen: Type.Boolean({ description: 'Whether somebody has chosen; false: the default holds.' }),
        ...chosenFields,
        chosenAt: nullable(Instant),
        own: nullable(
          closed(
            { accepted: Type.Boolean(), ...chosenFields, chosenAt: Instant },
            { description: 'What the person said themselves. Of a household: it counts where it is a refusal.' },
          ),
        ),
      }),
    ),
  },
  { $id: 'Choices' },
);

/** Body of `PUT /v1/recipients/{id}/choices`: sets those given, keeps the others. */
export const ChoicesChange = closed(
  {
    choices: Type.Array(
      closed({
        notificationType: Type.String({ minLength: 1, maxLength: 100, description: 'Key or id.' }),
        channel: words(channels),
        accepted: Type.Boolean(),
        source: Type.Optional(nullable(line(100, { description: 'Where it was said: a form, a call, a file.' }))),
      }),
      { minItems: 1, maxItems: 500 },
    ),
  },
  {
    examples: [
      {
        choices: [
          { notificationType: 'avis-echeance', channel: 'mail', accepted: true, source: 'Fiche client, AE par mail' },
        ],
      },
    ],
  },
);

/** One choice that was made. */
export const ChoiceChange = closed(
  {
    id: Uuid,
    saidBy,
    notificationType: nullable(Type.String({ description: 'Its key; null where it is gone.' })),
    notificationTypeId: Uuid,
    channel: words(channels),
    accepted: Type.Boolean(),
    source: nullable(Type.String()),
    author: nullable(Type.String()),
    at: Instant,
  },
  { $id: 'ChoiceChange' },
);

const consentFields = {
  addressKind: words(consentKinds),
  level: Type.Integer({
    minimum: 0,
    maximum: 3,
    description: '0 refused, 1 management only, 2 also prospecting, 3 also third parties (M8).',
  }),
};

const saidFields = {
  saidBy,
  since: Instant,
  source: nullable(Type.String()),
  author: nullable(
    Type.String({ description: 'The person behind the key, else the id of the key; null: the service.' }),
  ),
  proof: nullable(Type.String()),
};

/** What a person allows, by kind of address, with the history. */
export const Consents = closed(
  {
    at: { ...Instant, description: 'The moment it is about.' } as typeof Instant,
    heldBy: {
      ...Uuid,
      description: 'Whose consents hold: the member of the household of today, else the person.',
    } as typeof Uuid,
    consents: Type.Array(
      closed({
        ...consentFields,
        given: nullable(
          closed(
            { id: Uuid, ...saidFields, recordedAt: Instant },
            { description: 'What decides. Null where nothing was said: the organisation’s default holds.' },
          ),
        ),
        own: nullable(
          closed(
            { id: Uuid, level: consentFields.level, ...saidFields, recordedAt: Instant },
            { description: 'What the person said themselves. Of a household: it counts where it goes less far.' },
          ),
        ),
      }),
      { description: 'Each kind once.' },
    ),
    history: Type.Array(closed({ id: Uuid, ...consentFields, ...saidFields, recordedAt: Instant }), {
      description: 'Everything that was said, newest first; at most 1,000.',
    }),
  },
  { $id: 'Consents' },
);

/** Body of `PUT /v1/recipients/{id}/consents`: records those given, keeps the others. */
export const ConsentsChange = closed(
  {
    consents: Type.Array(
      closed({
        ...consentFields,
        since: Type.Optional({ ...Instant, description: 'Default: now. Not in the future.' } as typeof Instant),
        source: Type.Optional(nullable(line(100, { description: 'Where it was said: a form, a call, a file.' }))),
        proof: Type.Optional(
          nullable(Type.String({ minLength: 1, maxLength: 4_000, description: 'The words that were agreed to.' })),
        ),
      }),
      { minItems: 1, maxItems: consentKinds.length },
    ),
  },
  {
    examples: [
      {
        consents: [
          {
            addressKind: 'mail',
            level: 2,
            source: 'Bulletin d’adhésion',
            proof: 'J’accepte de recevoir les offres de ma mutuelle par courriel.',
          },
        ],
      },
    ],
  },
);
