import type { Static } from 'typebox';
import { provisionTenant } from '../../accounts/provision-tenant.ts';
import { invalidField } from '../../errors.ts';
import { closed, reference, Uuid } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import { findTemplate } from '../../templates/store.ts';
import { getKey } from '../../tenants/keys.ts';
import { type Actor, actorOf, demand, serviceActor } from '../../tenants/rights.ts';
import { NewTenant, Tenant, TenantChange } from '../../tenants/schema.ts';
import { getTenant, listTenants, type TenantRow, updateTenant } from '../../tenants/store.ts';
import { callerOf } from '../auth.ts';
import { type EffectTx, runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import { expectedRevision, shown } from '../precondition.ts';
import type { App } from '../validation.ts';
import { presentKey } from './access.ts';

const tenantParams = closed({ id: Uuid });

/** @throws AppError 404, 412; `unprocessable` for a default content that does not exist. */
async function changeTenant(
  runtime: Runtime,
  tx: EffectTx,
  { id, actor, revision }: { id: string; actor: Actor; revision: number | null },
  change: Static<typeof TenantChange>,
): Promise<TenantRow> {
  const { defaultTemplate } = change;
  const row = await updateTenant(runtime, tx, id, actor, revision, change);
  if (defaultTemplate != null && (await findTemplate(tx, id, defaultTemplate)) === null) {
    throw invalidField('/defaultTemplate', 'template_unknown', `there is no template ${defaultTemplate}`);
  }
  return row;
}

function presentTenant(row: TenantRow) {
  const { revision: _revision, ...shown } = row;
  return shown;
}

function platformRoutes(app: App, runtime: Runtime): void {
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
}

function platformTenantRoutes(app: App, runtime: Runtime): void {
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
      return shown(reply, row, presentTenant);
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
        changeTenant(runtime, tx, { id: request.params.id, actor: serviceActor, revision }, request.body),
      );
      return shown(reply, row, presentTenant);
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
      return shown(reply, row, presentTenant);
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
        changeTenant(runtime, tx, { id: caller.tenantId, actor: actorOf(caller), revision }, request.body),
      );
      return shown(reply, row, presentTenant);
    },
  );
}

/** Organisations: made by the platform, changed by themselves. */
export function tenantRoutes(app: App, runtime: Runtime): void {
  app.addSchema(Tenant);
  platformRoutes(app, runtime);
  platformTenantRoutes(app, runtime);
  ownTenantRoutes(app, runtime);
}
