import Type from 'typebox';
import { closed, Instant, lifetimeFields, line, nullable, Uuid } from '../../fields.ts';

const context = closed(
  { type: line(50), ref: line(200) },
  { description: 'What was asked: a questionnaire, a file, a session. As in the `context` of send requests.' },
);
const source = line(200, {
  description: 'How it is known, e.g. the form they filled in.',
  examples: ['Formulaire en ligne'],
});

/** That somebody has answered what a context asked (D10). */
export const Response = closed(
  { id: Uuid, recipient: Uuid, context, answeredAt: Instant, source: nullable(source), ...lifetimeFields },
  { $id: 'Response' },
);

/** Body of `POST /v1/recipients/{id}/responses`. */
export const NewResponse = closed(
  {
    context,
    answeredAt: Type.Optional({ ...Instant, description: 'Default: now. Not in the future.' } as typeof Instant),
    source: Type.Optional(nullable(source)),
  },
  {
    examples: [
      { context: { type: 'questionnaire', ref: 'Q-2026-17' }, source: 'Formulaire en ligne' },
      { context: { type: 'dossier', ref: 'D-2026-000123' }, answeredAt: '2026-11-20T18:30:00+01:00' },
    ],
  },
);
