import type { FastifyReply } from 'fastify';
import Type from 'typebox';
import { createAccount, readableSecrets, updateAccount } from '../../accounts/configure.ts';
import { AccountTest, ChannelAccount, ChannelAccountChange, NewChannelAccount, Pause } from '../../accounts/schema.ts';
import {
  type AccountRow,
  deleteAccount,
  getAccount,
  listAccounts,
  pauseAccount,
  resumeAccount,
} from '../../accounts/store.ts';
import { tryAccount } from '../../accounts/try-account.ts';
import { closed, reference, Uuid } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import { actorOf } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import { expectedRevision, shown } from '../precondition.ts';
import type { App } from '../validation.ts';

const params = closed({ id: Uuid });

/** Field by field: the row has sealed secrets and the state of the rhythm, which are nobody's business. */
function presentAccount(runtime: Runtime, row: AccountRow) {
  return {
    id: row.id,
    name: row.name,
    channel: row.channel,
    driver: row.driver,
    settings: row.settings,
    secretNames: Object.keys(readableSecrets(runtime.secrets, row)),
    rhythm: {
      waitAfterSendMs: row.waitAfterSendMs,
      waitWhenIdleMs: row.waitWhenIdleMs,
      waitAfterErrorMs: row.waitAfterErrorMs,
      maxPerMinute: row.maxPerMinute,
      concurrency: row.concurrency,
    },
    onUncertain: row.onUncertain,
    isDefault: row.isDefault,
    test: row.test,
    pausedAt: row.pausedAt,
    pauseReason: row.pauseReason,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}

const show = (runtime: Runtime, reply: FastifyReply, row: AccountRow) =>
  shown(reply, row, () => presentAccount(runtime, row));

function writeRoutes(app: App, runtime: Runtime): void {
  app.post(
    '/v1/channel-accounts',
    operation({
      id: 'createChannelAccount',
      tag: 'channels',
      summary: 'Create a channel account',
      description: 'The first one of a channel takes the messages that were waiting for an account.',
      access: ['channel-accounts:create'],
      body: NewChannelAccount,
      idempotency: 'accepted',
      answers: { 201: reference('ChannelAccount') },
      errors: ['unprocessable'],
    }),
    (request, reply) => {
      const caller = callerOf(request);
      const { body } = request;
      return runIdempotently<{ id: string }>(runtime, request, reply, body, {
        async commit(tx) {
          const { id } = await createAccount(runtime, tx, caller.tenantId, actorOf(caller), body);
          return { status: 201, answer: { id } };
        },
        present: async ({ id }) => show(runtime, reply, await getAccount(runtime.db, caller.tenantId, id)),
        location: ({ id }) => `/v1/channel-accounts/${id}`,
      });
    },
  );

  app.patch(
    '/v1/channel-accounts/:id',
    operation({
      id: 'updateChannelAccount',
      tag: 'channels',
      summary: 'Change a channel account',
      description: 'Settings are replaced as a whole; secrets are changed one by one.',
      access: ['channel-accounts:update'],
      params,
      body: ChannelAccountChange,
      conditional: true,
      answers: { 200: reference('ChannelAccount') },
      errors: ['unprocessable'],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const revision = expectedRevision(request);
      const target = { tenantId: caller.tenantId, id: request.params.id, actor: actorOf(caller), revision };
      const row = await runtime.db.transaction((tx) => updateAccount(runtime, tx, target, request.body));
      return show(runtime, reply, row);
    },
  );

  app.delete(
    '/v1/channel-accounts/:id',
    operation({
      id: 'deleteChannelAccount',
      tag: 'channels',
      summary: 'Delete a channel account that no message waits for',
      access: ['channel-accounts:update'],
      params,
      answers: { 204: Type.Null() },
      errors: ['in_use'],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      await runtime.db.transaction((tx) => deleteAccount(runtime, tx, caller.tenantId, actorOf(caller), id));
      return reply.code(204).send(null);
    },
  );
}

function readRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/channel-accounts',
    operation({
      id: 'listChannelAccounts',
      tag: 'channels',
      summary: 'List channel accounts',
      access: ['channel-accounts:read'],
      query: closed(pageQuery),
      answers: { 200: pageOf('ChannelAccount') },
      errors: ['invalid_cursor'],
    }),
    async (request) => {
      const page = readPage(runtime.secrets, 'channel-accounts', request.query);
      const rows = await listAccounts(runtime.db, callerOf(request).tenantId, page);
      return paginate(runtime.secrets, 'channel-accounts', page, rows, {
        position: ({ id }) => id,
        present: (row) => presentAccount(runtime, row),
      });
    },
  );

  app.get(
    '/v1/channel-accounts/:id',
    operation({
      id: 'getChannelAccount',
      tag: 'channels',
      summary: 'Read a channel account',
      access: ['channel-accounts:read'],
      params,
      answers: { 200: reference('ChannelAccount') },
    }),
    async (request, reply) => {
      const row = await getAccount(runtime.db, callerOf(request).tenantId, request.params.id);
      return show(runtime, reply, row);
    },
  );
}

function testRoute(app: App, runtime: Runtime): void {
  app.post(
    '/v1/channel-accounts/:id/test',
    operation({
      id: 'testChannelAccount',
      tag: 'channels',
      summary: 'Try an account: connect and log in, send nothing',
      description: 'Answers 200 whatever the provider says; `ok` tells whether messages could leave.',
      access: ['channel-accounts:update'],
      params,
      answers: { 200: reference('AccountTest') },
    }),
    async (request) => {
      const outcome = await tryAccount(runtime, callerOf(request).tenantId, request.params.id);
      return {
        ok: outcome.kind === 'accepted',
        outcome: outcome.kind,
        reason: outcome.kind === 'accepted' ? null : outcome.reason,
        step: outcome.answer.step,
        code: outcome.answer.code,
        answer: outcome.answer.text,
      };
    },
  );
}

function pauseRoutes(app: App, runtime: Runtime): void {
  app.post(
    '/v1/channel-accounts/:id/pause',
    operation({
      id: 'pauseChannelAccount',
      tag: 'channels',
      summary: 'Let nothing more leave through an account',
      description: 'What waits keeps waiting, nothing is lost (W4). Pausing a paused account changes nothing.',
      access: ['channel-accounts:update'],
      params,
      body: Pause,
      idempotency: 'accepted',
      answers: { 200: reference('ChannelAccount') },
    }),
    (request, reply) => {
      const caller = callerOf(request);
      const target = { tenantId: caller.tenantId, id: request.params.id, actor: actorOf(caller) };
      const reason = request.body.reason ?? 'paused_by_user';
      return runIdempotently<{ id: string }>(runtime, request, reply, request.body, {
        async commit(tx) {
          const { id } = await pauseAccount(runtime, tx, target, reason);
          return { status: 200, answer: { id } };
        },
        present: async ({ id }) => show(runtime, reply, await getAccount(runtime.db, caller.tenantId, id)),
      });
    },
  );

  app.post(
    '/v1/channel-accounts/:id/resume',
    operation({
      id: 'resumeChannelAccount',
      tag: 'channels',
      summary: 'Let an account go on, at once',
      access: ['channel-accounts:update'],
      params,
      idempotency: 'accepted',
      answers: { 200: reference('ChannelAccount') },
    }),
    (request, reply) => {
      const caller = callerOf(request);
      const target = { tenantId: caller.tenantId, id: request.params.id, actor: actorOf(caller) };
      return runIdempotently<{ id: string }>(runtime, request, reply, null, {
        async commit(tx) {
          const { id } = await resumeAccount(runtime, tx, target);
          return { status: 200, answer: { id } };
        },
        present: async ({ id }) => show(runtime, reply, await getAccount(runtime.db, caller.tenantId, id)),
      });
    },
  );
}

/** Channel accounts: settings, secrets and rhythm of the drivers. */
export function channelAccountRoutes(app: App, runtime: Runtime): void {
  for (const component of [ChannelAccount, AccountTest]) app.addSchema(component);
  writeRoutes(app, runtime);
  readRoutes(app, runtime);
  testRoute(app, runtime);
  pauseRoutes(app, runtime);
}
