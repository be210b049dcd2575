import Type from 'typebox';
import { AppError, invalidField } from '../../errors.ts';
import { closed, reference, Uuid } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import { listAuditEntries } from '../../tenants/audit.ts';
import { type ApiKeyRow, createKey, getKey, listKeys, revokeKey } from '../../tenants/keys.ts';
import { actorOf, demand, type Scope } from '../../tenants/rights.ts';
import { ApiKey, AuditEntry, NewApiKey } from '../../tenants/schema.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import type { App } from '../validation.ts';

/** An API key as the API shows it. */
export function presentKey(row: ApiKeyRow) {
  const { tenantId: _tenantId, publicPart: _publicPart, secretHash: _secretHash, ...shown } = row;
  return shown;
}

function keyRoutes(app: App, runtime: Runtime): void {
  app.post(
    '/v1/api-keys',
    {
      ...operation({
        id: 'createApiKey',
        tag: 'access',
        summary: 'Create an API key',
        description: 'The secret is in this answer only. A key can give no right that it has not itself.',
        access: ['api-keys:create'],
        body: NewApiKey,
        idempotency: 'accepted',
        answers: { 201: reference('ApiKey') },
        errors: ['forbidden', 'unprocessable'],
      }),
    },
    (request, reply) => {
      const caller = callerOf(request);
      const { body } = request;
      return runIdempotently<{ id: string }>(runtime, request, reply, body, {
        async commit(tx) {
          for (const scope of body.scopes) demand(caller, scope as Scope);
          if (body.expiresAt != null && new Date(body.expiresAt) <= runtime.clock.now()) {
            throw invalidField('/expiresAt', 'in_past', 'expiresAt is in the past');
          }
          if (caller.testOnly && body.kind === 'live') {
            throw new AppError('forbidden', { detail: 'A test key cannot make a live one.' });
          }
          const { row, secret } = await createKey(runtime, tx, caller.tenantId, actorOf(caller), {
            name: body.name,
            kind: body.kind,
            scopes: body.scopes,
            unit: body.unit ?? null,
            expiresAt: body.expiresAt == null ? null : new Date(body.expiresAt),
          });
          return { status: 201, answer: { id: row.id }, once: { secret } };
        },
        present: async ({ id }) => presentKey(await getKey(runtime.db, caller.tenantId, id)),
      });
    },
  );

  app.get(
    '/v1/api-keys',
    {
      ...operation({
        id: 'listApiKeys',
        tag: 'access',
        summary: 'List API keys',
        access: ['api-keys:read'],
        query: closed(pageQuery),
        answers: { 200: pageOf('ApiKey') },
        errors: ['invalid_cursor'],
      }),
    },
    async (request) => {
      const page = readPage(runtime.secrets, 'api-keys', request.query);
      const rows = await listKeys(runtime.db, callerOf(request).tenantId, page);
      return paginate(runtime.secrets, 'api-keys', page, rows, { position: ({ id }) => id, present: presentKey });
    },
  );

  app.delete(
    '/v1/api-keys/:id',
    {
      ...operation({
        id: 'revokeApiKey',
        tag: 'access',
        summary: 'Revoke an API key at once',
        access: ['api-keys:update'],
        params: closed({ id: Uuid }),
        answers: { 204: Type.Null() },
      }),
    },
    async (request, reply) => {
      const caller = callerOf(request);
      await runtime.db.transaction((tx) => revokeKey(runtime, tx, caller.tenantId, actorOf(caller), request.params.id));
      return reply.code(204).send(null);
    },
  );
}

function auditRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/audit-entries',
    {
      ...operation({
        id: 'listAuditEntries',
        tag: 'access',
        summary: 'Who changed what, when',
        access: ['audit-entries:read'],
        query: closed({
          ...pageQuery,
          resourceType: Type.Optional(Type.String({ maxLength: 50, description: 'Kind of what was changed.' })),
          resourceId: Type.Optional({ ...Uuid, description: 'Id of what was changed.' } as typeof Uuid),
        }),
        answers: { 200: pageOf('AuditEntry') },
        errors: ['invalid_cursor'],
      }),
    },
    async (request) => {
      const page = readPage(runtime.secrets, 'audit-entries', request.query);
      const rows = await listAuditEntries(runtime.db, callerOf(request).tenantId, page, request.query);
      return paginate(runtime.secrets, 'audit-entries', page, rows, {
        position: ({ id }) => id,
        present: ({ tenantId: _tenantId, ...shown }) => shown,
      });
    },
  );
}

/** API keys, the audit trail. */
export function accessRoutes(app: App, runtime: Runtime): void {
  for (const component of [ApiKey, AuditEntry]) app.addSchema(component);
  keyRoutes(app, runtime);
  auditRoutes(app, runtime);
}
