import type { Language } from '../../errors.ts';
import { closed, reference, Uuid } from '../../fields.ts';
import { type MessageRow, redirectOf } from '../../messages/content.ts';
import { correctMessage } from '../../messages/correct.ts';
import { filterFields } from '../../messages/filter.ts';
import { presentMessage } from '../../messages/present.ts';
import { Message, MessageChange, MessageDetails } from '../../messages/schema.ts';
import { getMessage, searchMessages } from '../../messages/store.ts';
import type { Runtime } from '../../runtime.ts';
import { actorOf } from '../../tenants/rights.ts';
import { getTenant } from '../../tenants/store.ts';
import { callerOf } from '../auth.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import { expectedRevision, shown } from '../precondition.ts';
import { languageOf } from '../problem.ts';
import type { App } from '../validation.ts';

const params = closed({ id: Uuid });

/** Where the tenant's messages go instead of the real people, or null. */
export async function redirectedTo(runtime: Runtime, tenantId: string): Promise<string | null> {
  return redirectOf(runtime.config, await getTenant(runtime.db, tenantId))?.to ?? null;
}

/** A message with the data it was made from. */
export async function presentDetails(runtime: Runtime, row: MessageRow, language: Language) {
  const shown = presentMessage(row, language, await redirectedTo(runtime, row.tenantId));
  return { ...shown, data: row.data, overrides: row.overrides };
}

function searchRoute(app: App, runtime: Runtime): void {
  app.get(
    '/v1/messages',
    operation({
      id: 'listMessages',
      tag: 'sending',
      summary: 'Find messages',
      description:
        'Newest first. In the words of the old screens: application user, Windows user and workstation are `requestedBy.…`, edition date is `edited…`, file number is `context`, mail address is `address`, sending date is `sent…`.',
      access: ['messages:read'],
      query: closed({ ...pageQuery, ...filterFields }),
      answers: { 200: pageOf('Message') },
      errors: ['invalid_cursor'],
    }),
    async (request) => {
      const { tenantId, testOnly } = callerOf(request);
      const { limit: _limit, cursor: _cursor, ...filter } = request.query;
      const page = readPage(runtime.secrets, 'messages', request.query);
      const rows = await searchMessages(runtime.db, { tenantId, testOnly }, filter, page);
      const redirect = await redirectedTo(runtime, tenantId);
      const language = languageOf(request);
      return paginate(runtime.secrets, 'messages', page, rows, {
        position: ({ id }) => id,
        present: (row) => presentMessage(row, language, redirect),
      });
    },
  );
}

function detailRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/messages/:id',
    operation({
      id: 'getMessage',
      tag: 'sending',
      summary: 'Read a message, everything about it',
      access: ['messages:read'],
      params,
      answers: { 200: reference('MessageDetails') },
    }),
    async (request, reply) => {
      const row = await getMessage(runtime.db, callerOf(request), request.params.id);
      return shown(reply, row, () => presentDetails(runtime, row, languageOf(request)));
    },
  );

  app.patch(
    '/v1/messages/:id',
    operation({
      id: 'correctMessage',
      tag: 'sending',
      summary: 'Correct a message',
      description:
        'While it is in `E`, `B` or `KO`. The content gets a new hash and a new Message-ID; `validate` or `resend` come after. Texts are literal, never Liquid.',
      access: ['messages:update'],
      params,
      body: MessageChange,
      conditional: true,
      answers: { 200: reference('MessageDetails') },
      errors: ['illegal_move', 'being_sent', 'cannot_be_sent', 'unprocessable', 'erased'],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const target = {
        viewer: caller,
        id: request.params.id,
        actor: actorOf(caller),
        revision: expectedRevision(request),
      };
      const row = await runtime.db.transaction((tx) => correctMessage(runtime, tx, target, request.body));
      return shown(reply, row, () => presentDetails(runtime, row, languageOf(request)));
    },
  );
}

/** Messages: search, details, correction. */
export function messageRoutes(app: App, runtime: Runtime): void {
  for (const component of [Message, MessageDetails]) app.addSchema(component);
  searchRoute(app, runtime);
  detailRoutes(app, runtime);
}
