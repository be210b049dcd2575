import Type from 'typebox';
import { closed, reference, Uuid } from '../../fields.ts';
import { createContentCache, redirectOf } from '../../messages/content.ts';
import { explainMessage } from '../../messages/explain.ts';
import { presentAttempt, presentTransition } from '../../messages/present.ts';
import { previewMessage } from '../../messages/preview.ts';
import { Attempt, MessageExplanation, MessagePreview, Transition } from '../../messages/schema.ts';
import { getMessage, listAttempts, listTransitions, readLastSteps } from '../../messages/store.ts';
import type { Runtime } from '../../runtime.ts';
import type { Caller } from '../../tenants/rights.ts';
import { getTenant } from '../../tenants/store.ts';
import { callerOf } from '../auth.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import { languageOf } from '../problem.ts';
import type { App } from '../validation.ts';

const params = closed({ id: Uuid });

// What is previewed was written by others: a browser must not run anything of it, nor fetch for it.
const previewPolicy = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'";

const file = (mediaType: string) => ({
  description: 'The content as it will leave',
  content: { [mediaType]: { schema: Type.String() } },
});

function previewer(runtime: Runtime) {
  const content = createContentCache(runtime.db);
  return async (caller: Caller, id: string, composed: boolean) => {
    const found = await getMessage(runtime.db, caller, id);
    // Out of `KO` a message leaves by a resend alone, which has a Message-ID of its own.
    const row = found.status === 'KO' ? { ...found, contentRevision: found.contentRevision + 1 } : found;
    const tenant = await getTenant(runtime.db, caller.tenantId);
    const redirect = row.test ? null : redirectOf(runtime.config, tenant);
    const how = { redirect, composedAt: composed ? runtime.clock.now() : null };
    return { redirect, prepared: await previewMessage(runtime, content, row, how) };
  };
}

function previewRoutes(app: App, runtime: Runtime): void {
  const preview = previewer(runtime);
  const describe = (id: string, summary: string, answer: object) =>
    operation({
      id,
      tag: 'sending',
      summary,
      description: 'As it will leave: rendered and composed as the dispatcher does it.',
      access: ['messages:read'],
      params,
      answers: { 200: answer as never },
      errors: ['cannot_be_sent', 'erased'],
    });

  app.get(
    '/v1/messages/:id/preview',
    describe('previewMessage', 'The rendered parts of a message', reference('MessagePreview')),
    async (request) => {
      const { prepared, redirect } = await preview(callerOf(request), request.params.id, false);
      const { subject, text, html, contentHash } = prepared;
      return { subject, text, html, contentHash, redirectedTo: redirect?.to ?? null };
    },
  );

  app.get(
    '/v1/messages/:id/preview.html',
    describe('previewMessageHtml', 'The HTML part', file('text/html')),
    async (request, reply) => {
      const { prepared } = await preview(callerOf(request), request.params.id, false);
      reply.header('content-security-policy', previewPolicy).header('x-content-type-options', 'nosniff');
      return reply.type('text/html; charset=utf-8').serializer(String).send(prepared.html);
    },
  );

  app.get(
    '/v1/messages/:id/preview.txt',
    describe('previewMessageText', 'The text part', file('text/plain')),
    async (request, reply) => {
      const { prepared } = await preview(callerOf(request), request.params.id, false);
      return reply.type('text/plain; charset=utf-8').serializer(String).send(prepared.text);
    },
  );

  app.get(
    '/v1/messages/:id/preview.eml',
    describe('previewMessageEml', 'The whole mail, byte for byte (the Date header aside)', file('message/rfc822')),
    async (request, reply) => {
      const { prepared } = await preview(callerOf(request), request.params.id, true);
      reply.header('content-disposition', `attachment; filename="${request.params.id}.eml"`);
      return reply.type('message/rfc822').send(Buffer.concat(prepared.raw ?? []));
    },
  );
}

function explainRoute(app: App, runtime: Runtime): void {
  app.get(
    '/v1/messages/:id/explain',
    operation({
      id: 'explainMessage',
      tag: 'sending',
      summary: 'Why a message is where it is, in plain words',
      description:
        'Which rule decided, and the facts it used, and which copies were left out; in French or English by `Accept-Language`.',
      access: ['messages:read'],
      params,
      answers: { 200: reference('MessageExplanation') },
    }),
    async (request) => {
      const row = await getMessage(runtime.db, callerOf(request), request.params.id);
      const steps = await readLastSteps(runtime.db, row.tenantId, row.id);
      const { id, status, reason } = row;
      return { id, status, reason, ...explainMessage({ row, ...steps }, languageOf(request)) };
    },
  );
}

function historyRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/messages/:id/transitions',
    operation({
      id: 'listTransitions',
      tag: 'sending',
      summary: 'Every move of a message: who, when, why',
      access: ['messages:read'],
      params,
      query: closed(pageQuery),
      answers: { 200: pageOf('Transition') },
      errors: ['invalid_cursor'],
    }),
    async (request) => {
      const { id, tenantId } = await getMessage(runtime.db, callerOf(request), request.params.id);
      const list = `transitions:${id}`;
      const page = readPage(runtime.secrets, list, request.query);
      const language = languageOf(request);
      return paginate(runtime.secrets, list, page, await listTransitions(runtime.db, tenantId, id, page), {
        position: (row) => row.id,
        present: (row) => presentTransition(row, language),
      });
    },
  );

  app.get(
    '/v1/messages/:id/attempts',
    operation({
      id: 'listAttempts',
      tag: 'sending',
      summary: 'Every try to hand a message over',
      access: ['messages:read'],
      params,
      query: closed(pageQuery),
      answers: { 200: pageOf('Attempt') },
      errors: ['invalid_cursor'],
    }),
    async (request) => {
      const { id, tenantId } = await getMessage(runtime.db, callerOf(request), request.params.id);
      const list = `attempts:${id}`;
      const page = readPage(runtime.secrets, list, request.query);
      return paginate(runtime.secrets, list, page, await listAttempts(runtime.db, tenantId, id, page), {
        position: (row) => row.id,
        present: presentAttempt,
      });
    },
  );
}

/** Messages: previews, why, moves, tries. */
export function messageViewRoutes(app: App, runtime: Runtime): void {
  for (const component of [MessagePreview, MessageExplanation, Transition, Attempt]) app.addSchema(component);
  previewRoutes(app, runtime);
  explainRoute(app, runtime);
  historyRoutes(app, runtime);
}
