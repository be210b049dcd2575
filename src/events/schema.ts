import Type from 'typebox';
import { closed, Instant, Uuid, words } from '../fields.ts';
import { eventTypes } from './store.ts';

/** What happened, numbered per tenant. */
export const Event = closed(
  {
    sequence: Type.Integer(),
    id: Uuid,
    type: words(eventTypes),
    at: Instant,
    test: Type.Boolean(),
    resourceId: Uuid,
    data: Type.Record(Type.String(), Type.Unknown(), { description: 'Ids, statuses and codes only.' }),
  },
  { $id: 'Event' },
);
