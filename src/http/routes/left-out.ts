import Type from 'typebox';
import { closed, nullable, Uuid, words } from '../../fields.ts';
import { reasonCodes, reasonSentence } from '../../messages/reasons.ts';
import type { Runtime } from '../../runtime.ts';
import { countCopiesLeftOut, countLeftOut, getSendRequest } from '../../send-requests/store.ts';
import { callerOf } from '../auth.ts';
import { operation } from '../openapi.ts';
import { languageOf } from '../problem.ts';
import type { App } from '../validation.ts';

const counted = {
  reason: Type.String({ enum: [...reasonCodes] }),
  reasonText: nullable(Type.String()),
  count: Type.Integer(),
};

const LeftOut = closed({
  total: Type.Integer({ description: 'Messages in `B` and `KO`.' }),
  reasons: Type.Array(closed({ status: words(['B', 'KO']), ...counted }), { description: 'The most frequent first.' }),
  copies: Type.Array(closed(counted), {
    description:
      'Copies that were left out by themselves, also of messages that were sent; not part of `total`. The most frequent reason first.',
  }),
});

/** Send requests: who got nothing, and why. */
export function leftOutRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/send-requests/:id/left-out',
    operation({
      id: 'countLeftOut',
      tag: 'sending',
      summary: 'Who was left out of a send request, by reason',
      description:
        'Counts of the messages in `B` (a person or a rule stopped them) and `KO` (they could not be sent), and of the copies that were left out. Which they are: `GET /v1/messages?sendRequest=…&reason=…`.',
      access: ['send-requests:read'],
      params: closed({ id: Uuid }),
      answers: { 200: LeftOut },
    }),
    async (request) => {
      const caller = callerOf(request);
      const { id } = await getSendRequest(runtime.db, caller, request.params.id);
      const language = languageOf(request);
      const reasons = await countLeftOut(runtime.db, caller.tenantId, id);
      const copies = await countCopiesLeftOut(runtime.db, caller.tenantId, id);
      const told = <One extends { reason: string }>(one: One) => ({
        ...one,
        reasonText: reasonSentence(one.reason, language),
      });
      return {
        total: reasons.reduce((sum, { count }) => sum + count, 0),
        reasons: reasons.map(told),
        copies: copies.map(told),
      };
    },
  );
}
