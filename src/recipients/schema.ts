import Type from 'typebox';
import { closed, Instant, key, lifetimeFields, line, nullable, Uuid, words } from '../fields.ts';

/** Ways an organisation may write to people. Messages leave by `mail` today; choices can be kept for all. */
const channels = ['mail', 'sms', 'letter', 'push', 'portal'] as const;

/** Kinds of address. */
const addressKinds = ['mail', 'mobile', 'landline', 'postal', 'push', 'portal'] as const;

const locale = Type.String({ pattern: '^[a-z]{2}(-[A-Z]{2})?$', description: 'Language of the person, e.g. `fr-FR`.' });
const role = line(50, { description: 'What the address is for: personal, institutional, accounting, …' });
const type = key({ description: 'Kind of person or structure: client, student, member, provider, …' });
const externalId = line(200, { description: 'The caller’s own reference, unique per type.' });
const attributes = Type.Record(Type.String({ maxLength: 200 }), Type.Unknown(), {
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
    description: 'For `mail` one strict address without a name. Only `postal` may have several lines.',
  }),
  role: Type.Optional(nullable(role)),
  preferred: Type.Optional(Type.Boolean({ description: 'At most one of each kind. Default false.' })),
  acceptsContact: Type.Optional(Type.Boolean({ description: 'False: it is never used. Default true.' })),
});

const optional = {
  displayName: Type.Optional(nullable(line(200))),
  locale: Type.Optional(nullable(locale)),
  preferredChannel: Type.Optional(nullable(words(channels))),
  attributes: Type.Optional(attributes),
  addresses: Type.Optional(Type.Array(NewAddress, { maxItems: 20 })),
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
  },
  { minProperties: 1, examples: [{ title: 'Avis d’échéance (prélèvement)' }] },
);

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
        accepted: Type.Boolean({ description: 'What the person chose, else the default of the type.' }),
        chosen: Type.Boolean({ description: 'Whether the person has chosen; false: the default holds.' }),
        source: nullable(Type.String()),
        author: nullable(Type.String({ description: 'The person behind the key, else the id of the key.' })),
        chosenAt: nullable(Instant),
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
