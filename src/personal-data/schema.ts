import Type from 'typebox';
import { closed, Instant, nullable, reference, Uuid } from '../fields.ts';

const text = nullable(Type.String());

const Consent = closed({
  id: Uuid,
  addressKind: Type.String(),
  level: Type.Integer(),
  since: Instant,
  source: text,
  author: text,
  proof: text,
  createdAt: Instant,
});

const ChoiceChange = closed({
  id: Uuid,
  notificationTypeId: Uuid,
  channel: Type.String(),
  accepted: Type.Boolean(),
  source: text,
  author: text,
  at: Instant,
});

const PersonMessage = closed({
  message: reference('MessageDetails'),
  text: nullable(Type.String({ description: 'As it left, or would leave; null where it could never be rendered.' })),
  transitions: Type.Array(reference('Transition')),
  attempts: Type.Array(reference('Attempt')),
});

const PersonDraft = closed({
  sendRequest: Uuid,
  row: Type.Record(Type.String(), Type.Unknown(), { description: 'As it was given.' }),
});

/** Everything that is held of a person and was sent to them. */
export const PersonalData = closed(
  {
    recipient: reference('Recipient'),
    choices: Type.Array(Type.Record(Type.String(), Type.Unknown()), {
      description: 'As `GET /v1/recipients/{id}/choices` shows them.',
    }),
    choiceChanges: Type.Array(ChoiceChange, { description: 'Newest first; so are the consents.' }),
    consents: Type.Array(Consent),
    responses: Type.Array(reference('Response')),
    suppressions: Type.Array(reference('Suppression')),
    auditEntries: Type.Array(reference('AuditEntry')),
    messages: Type.Array(PersonMessage),
    drafts: Type.Array(PersonDraft, { description: 'Rows of drafts that nobody has confirmed yet.' }),
  },
  { $id: 'PersonalData' },
);

/** Body of `POST /v1/recipients/erase`. */
export const ErasureOfAddress = closed(
  { address: Type.String({ minLength: 1, maxLength: 320, description: 'One strict address without a name.' }) },
  { examples: [{ address: 'ancien.contact@courrier.example' }] },
);
