import type { FastifyReply } from 'fastify';
import { createAccount, updateAccount } from '../../accounts/configure.ts';
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
import { readableSecrets } from '../../tenants/secrets.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { shown } from '../precondition.ts';
import { changeRoute, createRoute, deleteRoute, listRoute, type Resource, readRoute } from '../resource-routes.ts';
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
    secretNames: Object.keys(readableSecrets(runtime.secrets, row) ?? {}),
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
  const accounts: Resource<AccountRow> = {
    name: 'channel-accounts',
    component: 'ChannelAccount',
    tag: 'channels',
    get: (tenantId, id) => getAccount(runtime.db, tenantId, id),
    present: (row) => presentAccount(runtime, row),
  };
  createRoute(app, runtime, accounts, {
    summary: 'Create a channel account',
    description: 'The first one of a channel takes the messages that were waiting for an account.',
    body: NewChannelAccount,
    errors: ['unprocessable'],
    create: (tx, caller, body) => createAccount(runtime, tx, caller.tenantId, actorOf(caller), body),
  });
  changeRoute(app, runtime, accounts, {
    summary: 'Change a channel account',
    description: 'Settings are replaced as a whole; secrets are changed one by one.',
    body: ChannelAccountChange,
    errors: ['unprocessable'],
    change: (tx, target, body) => updateAccount(runtime, tx, target, body),
  });
  deleteRoute(app, runtime, accounts, {
    summary: 'Delete a channel account that no message waits for',
    errors: ['in_use'],
    remove: (tx, tenantId, actor, id) => deleteAccount(runtime, tx, tenantId, actor, id),
  });
  listRoute(app, runtime, accounts, {
    summary: 'List channel accounts',
    list: (tenantId, page) => listAccounts(runtime.db, tenantId, page),
  });
  readRoute(app, accounts, { summary: 'Read a channel account' });
  testRoute(app, runtime);
  pauseRoutes(app, runtime);
}
