import Type from 'typebox';
import { provisionTenant } from '../../accounts/provision-tenant.ts';
import { AppError } from '../../errors.ts';
import { closed, reference, Uuid } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import { listAuditEntries } from '../../tenants/audit.ts';
import { type ApiKeyRow, createKey, getKey, listKeys, revokeKey } from '../../tenants/keys.ts';
import { actorOf, demand, type Scope } from '../../tenants/rights.ts';
import { ApiKey, AuditEntry, NewApiKey, NewTenant, Tenant, TenantChange } from '../../tenants/schema.ts';
import { getTenant, listTenants, type TenantRow, updateTenant } from '../../tenants/store.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import { expectedRevision, setEtag } from '../precondition.ts';
import type { App } from '../validation.ts';

const tenantParams = closed({ id: Uuid });

function presentTenant(row: TenantRow) {
  const { revision: _revision, ...shown } = row;
  return shown;
}

function presentKey(row: ApiKeyRow) {
  const { tenantId: _tenantId, publicPart: _publicPart, secretHash: _secretHash, ...shown } = row;
  return shown;
}

function tenantRoutes(app: App, runtime: Runtime): void {
  app.post(
    '/v1/tenants',
    {
      ...operation({
        id: 'createTenant',
        tag: 'access',
        summary: 'Create an organisation and its first key',
        description: 'The answer holds the secret of a key with the scope `admin`: it is shown this once.',
        access: 'platform',
        body: NewTenant,
        idempotency: 'accepted',
        answers: { 201: closed({ tenant: reference('Tenant'), key: reference('ApiKey') }) },
        errors: ['unprocessable'],
      }),
    },
    (request, reply) =>
      runIdempotently<{ id: string; keyId: string }>(runtime, request, reply, request.body, {
        async commit(tx) {
          const { tenant, key, secret } = await provisionTenant(runtime, tx, request.body);
          return {
            status: 201,
            answer: { id: tenant.id, keyId: key.id },
            once: { key: { ...presentKey(key), secret } },
          };
        },
        present: async ({ id, keyId }) => ({
          tenant: presentTenant(await getTenant(runtime.db, id)),
          key: presentKey(await getKey(runtime.db, id, keyId)),
        }),
        location: ({ id }) => `/v1/tenants/${id}`,
      }),
  );

  app.get(
    '/v1/tenants',
    {
      ...operation({
        id: 'listTenants',
        tag: 'access',
        summary: 'List organisations',
        access: 'platform',
        query: closed(pageQuery),
        answers: { 200: pageOf('Tenant') },
        errors: ['invalid_cursor'],
      }),
    },
    async (request) => {
      const page = readPage(runtime.secrets, 'tenants', request.query);
      const rows = await listTenants(runtime.db, page);
      return paginate(runtime.secrets, 'tenants', page, rows, { position: ({ id }) => id, present: presentTenant });
    },
  );

  app.get(
    '/v1/tenants/:id',
    {
      ...operation({
        id: 'getTenant',
        tag: 'access',
        summary: 'Read an organisation',
        access: 'platform',
        params: tenantParams,
        answers: { 200: reference('Tenant') },
      }),
    },
    async (request, reply) => {
      const row = await getTenant(runtime.db, request.params.id);
      setEtag(reply, row.revision);
      return presentTenant(row);
    },
  );

  app.patch(
    '/v1/tenants/:id',
    {
      ...operation({
        id: 'updateTenant',
        tag: 'access',
        summary: 'Change an organisation',
        access: 'platform',
        params: tenantParams,
        body: TenantChange,
        conditional: true,
        answers: { 200: reference('Tenant') },
        errors: ['unprocessable'],
      }),
    },
    async (request, reply) => {
      const revision = expectedRevision(request);
      const row = await runtime.db.transaction((tx) =>
        updateTenant(runtime, tx, request.params.id, { kind: 'service' }, revision, request.body),
      );
      setEtag(reply, row.revision);
      return presentTenant(row);
    },
  );
}

function ownTenantRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/tenant',
    {
      ...operation({
        id: 'getOwnTenant',
        tag: 'access',
        summary: 'Read the own organisation and its settings',
        access: ['tenant:read'],
        answers: { 200: reference('Tenant') },
      }),
    },
    async (request, reply) => {
      const row = await getTenant(runtime.db, callerOf(request).tenantId);
      setEtag(reply, row.revision);
      return presentTenant(row);
    },
  );

  app.patch(
    '/v1/tenant',
    {
      ...operation({
        id: 'updateOwnTenant',
        tag: 'access',
        summary: 'Change the own settings',
        description: 'Making validation automatic also needs the scope `messages:validate`.',
        access: ['tenant:update'],
        body: TenantChange,
        conditional: true,
        answers: { 200: reference('Tenant') },
        errors: ['unprocessable'],
      }),
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const revision = expectedRevision(request);
      if (request.body.defaultValidation === 'automatic') demand(caller, 'messages:validate');
      const row = await runtime.db.transaction((tx) =>
        updateTenant(runtime, tx, caller.tenantId, actorOf(caller), revision, request.body),
      );
      setEtag(reply, row.revision);
      return presentTenant(row);
    },
  );
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
        errors: ['forbidden'],
      }),
    },
    (request, reply) => {
      const caller = callerOf(request);
      const { body } = request;
      return runIdempotently<{ id: string }>(runtime, request, reply, body, {
        async commit(tx) {
          for (const scope of body.scopes) demand(caller, scope as Scope);
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
          resourceType: Type.Optional(Type.String({ maxLength: 50 })),
          resourceId: Type.Optional(Uuid),
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

/** Tenants, API keys, the audit trail. */
export function accessRoutes(app: App, runtime: Runtime): void {
  for (const component of [Tenant, ApiKey, AuditEntry]) app.addSchema(component);
  tenantRoutes(app, runtime);
  ownTenantRoutes(app, runtime);
  keyRoutes(app, runtime);
  auditRoutes(app, runtime);
}
