import Type from 'typebox';
import { Event } from '../../events/schema.ts';
import { lastSequence, listEvents } from '../../events/store.ts';
import { closed, reference } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import { callerOf } from '../auth.ts';
import { operation } from '../openapi.ts';
import { pageQuery } from '../pagination.ts';
import type { App } from '../validation.ts';

/** The feed of events. */
export function eventRoutes(app: App, runtime: Runtime): void {
  app.addSchema(Event);
  app.get(
    '/v1/events',
    operation({
      id: 'listEvents',
      tag: 'following',
      summary: 'What happened, in order and without gaps',
      description:
        'Ask again with `after` = the last `sequence` you have kept. An event appears within a second or two of what caused it. A test key sees test events only, with the numbers they have in the whole feed.',
      access: ['events:read'],
      query: closed({
        after: Type.Integer({
          minimum: 0,
          maximum: Number.MAX_SAFE_INTEGER,
          default: 0,
          description: 'The last `sequence` you have.',
        }),
        limit: pageQuery.limit,
      }),
      answers: { 200: closed({ items: Type.Array(reference('Event')), last: Type.Integer() }) },
    }),
    async (request) => {
      const { tenantId, testOnly } = callerOf(request);
      const { after, limit } = request.query;
      const rows = await listEvents(runtime.db, { tenantId, testOnly }, after, limit);
      return {
        items: rows.map(({ tenantId: _tenantId, ...shown }) => shown),
        last: await lastSequence(runtime.db, tenantId),
      };
    },
  );
}
