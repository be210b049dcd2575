import Type from 'typebox';
import { closed } from '../../fields.ts';
import { AudienceFilterBody, AudienceFilterSchema, audienceExamples } from '../../recipients/audience/schema.ts';
import { countAudience, searchAudience } from '../../recipients/audience/search.ts';
import type { Runtime } from '../../runtime.ts';
import { callerOf } from '../auth.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage, usualLimit } from '../pagination.ts';
import type { App } from '../validation.ts';
import { presentRecipient } from './recipients.ts';

const list = 'recipients/search';

/** Finding and counting recipients by a filter. */
export function audienceRoutes(app: App, runtime: Runtime): void {
  app.addSchema(AudienceFilterSchema);

  app.post(
    '/v1/recipients/search',
    operation({
      id: 'searchRecipients',
      tag: 'people',
      summary: 'Find the recipients that a filter means',
      description: 'Newest first. Give the same filter with the cursor.',
      access: ['recipients:read'],
      body: closed(
        { filter: AudienceFilterBody, ...pageQuery, limit: Type.Optional(pageQuery.limit) },
        { examples: audienceExamples.map((filter) => ({ filter, limit: 50 })) },
      ),
      answers: { 200: pageOf('Recipient') },
      errors: ['invalid_cursor', 'unprocessable'],
    }),
    async (request) => {
      const { filter, limit = usualLimit, ...place } = request.body;
      const page = readPage(runtime.secrets, list, { limit, ...place });
      const rows = await searchAudience(runtime, callerOf(request), filter, page);
      return paginate(runtime.secrets, list, page, rows, { position: ({ id }) => id, present: presentRecipient });
    },
  );

  app.post(
    '/v1/recipients/count',
    operation({
      id: 'countRecipients',
      tag: 'people',
      summary: 'Count the recipients that a filter means',
      description: 'Exact, at this moment.',
      access: ['recipients:read'],
      body: closed({ filter: AudienceFilterBody }, { examples: audienceExamples.map((filter) => ({ filter })) }),
      answers: { 200: closed({ count: Type.Integer() }) },
      errors: ['unprocessable'],
    }),
    async (request) => ({ count: await countAudience(runtime, callerOf(request), request.body.filter) }),
  );
}
