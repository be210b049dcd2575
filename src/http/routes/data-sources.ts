import Type from 'typebox';
import { addDataSource, changeDataSource } from '../../extractions/data-sources/configure.ts';
import { DataSource, DataSourceChange, DataSourceTest, NewDataSource } from '../../extractions/data-sources/schema.ts';
import {
  type DataSourceRow,
  deleteDataSource,
  getDataSource,
  listDataSources,
} from '../../extractions/data-sources/store.ts';
import { closed, key, reference, Uuid } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import { actorOf } from '../../tenants/rights.ts';
import { readableSecrets } from '../../tenants/secrets.ts';
import { callerOf } from '../auth.ts';
import { operation } from '../openapi.ts';
import { changeRoute, createRoute, deleteRoute, listRoute, type Resource, readRoute } from '../resource-routes.ts';
import type { App } from '../validation.ts';

/** Field by field: the row has sealed secrets. */
function presentSource(runtime: Runtime, row: DataSourceRow) {
  return {
    id: row.id,
    key: row.key,
    title: row.title,
    kind: row.kind,
    settings: row.settings,
    secretNames: Object.keys(readableSecrets(runtime.secrets, row) ?? {}),
    statementTimeoutMs: row.statementTimeoutMs,
    maximumRows: row.maximumRows,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}

function testRoute(app: App, runtime: Runtime): void {
  app.post(
    '/v1/data-sources/:id/test',
    operation({
      id: 'testDataSource',
      tag: 'content',
      summary: 'Try a data source: connect and log in, read no data',
      description:
        'Answers 200 whatever the source says; `ok` tells whether extractions could ask it, `canWrite` whether its credentials could do more than read, as far as a database tells.',
      access: ['data-sources:update'],
      params: closed({ id: Uuid }),
      answers: { 200: reference('DataSourceTest') },
    }),
    async (request) => {
      const source = await getDataSource(runtime.db, callerOf(request).tenantId, request.params.id);
      const found = await runtime.sources.test(source);
      if (found.kind === 'fault') {
        const { code, message } = found;
        return { ok: false, fault: code, message, canWrite: null, warnings: [] };
      }
      const { canWrite, warnings } = found;
      return { ok: true, fault: null, message: null, canWrite, warnings };
    },
  );
}

/** Data sources: where extractions ask. */
export function dataSourceRoutes(app: App, runtime: Runtime): void {
  for (const component of [DataSource, DataSourceTest]) app.addSchema(component);
  const sources: Resource<DataSourceRow> = {
    name: 'data-sources',
    component: 'DataSource',
    tag: 'content',
    get: (tenantId, id) => getDataSource(runtime.db, tenantId, id),
    present: (row) => presentSource(runtime, row),
  };
  createRoute(app, runtime, sources, {
    summary: 'Add a data source',
    description:
      'A database or an HTTP service that extractions ask. Nothing is asked of it yet. Give it credentials that can only read: `POST …/test` tells whether they can do more.',
    body: NewDataSource,
    errors: ['conflict', 'unprocessable'],
    create: (tx, caller, body) => addDataSource(runtime, tx, caller.tenantId, actorOf(caller), body),
  });
  changeRoute(app, runtime, sources, {
    summary: 'Change a data source',
    description:
      'Settings are replaced as a whole; secrets are changed one by one, and given again where they would go another way (`host`, `port`, `tls`, `url`, `certificateAuthority`).',
    body: DataSourceChange,
    errors: ['unprocessable'],
    change: (tx, target, body) => changeDataSource(runtime, tx, target, body),
  });
  deleteRoute(app, runtime, sources, {
    summary: 'Delete a data source that no extraction asks',
    errors: ['in_use'],
    remove: (tx, tenantId, actor, id) => deleteDataSource(runtime, tx, tenantId, actor, id),
  });
  listRoute(app, runtime, sources, {
    summary: 'List data sources',
    filter: { key: Type.Optional(key({ description: 'The one with this key.' })) },
    list: (tenantId, page, query) => listDataSources(runtime.db, tenantId, page, query),
  });
  readRoute(app, sources, { summary: 'Read a data source' });
  testRoute(app, runtime);
}
