import Type from 'typebox';
import { getDataSource } from '../../extractions/data-sources/store.ts';
import {
  addExtraction,
  changeExtraction,
  changeOfRun,
  prepareChange,
  prepareExtraction,
} from '../../extractions/keep.ts';
import { checkQuery, type Extracted, runExtraction } from '../../extractions/run.ts';
import {
  Extraction,
  ExtractionChange,
  ExtractionResult,
  ExtractionRun,
  NewExtraction,
} from '../../extractions/schema.ts';
import { type ExtractionRow, getExtraction, listExtractions } from '../../extractions/store.ts';
import { closed, key, reference, Uuid } from '../../fields.ts';
import type { Runtime } from '../../runtime.ts';
import { type BrokenTemplate, oneWithBroken, withBroken } from '../../templates/fields/broken.ts';
import { deleteExtraction } from '../../templates/fields/delete-extraction.ts';
import { actorOf } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { operation } from '../openapi.ts';
import { changeRoute, createRoute, deleteRoute, listRoute, type Resource, readRoute } from '../resource-routes.ts';
import type { App } from '../validation.ts';

type Shown = ExtractionRow & { broken: BrokenTemplate[] };

const reasons = { data: null, missing: 'extraction_missing', ambiguous: 'extraction_ambiguous' } as const;

function presentRows({ data }: Extracted) {
  return [...data].map(([name, found]) => ({
    key: name,
    data: found.kind === 'data' ? found.data : null,
    reason: reasons[found.kind],
  }));
}

function runRoute(app: App, runtime: Runtime): void {
  app.post(
    '/v1/extractions/:id/run',
    operation({
      id: 'runExtraction',
      tag: 'content',
      summary: 'Try an extraction with some keys',
      description:
        'Shows what send requests would have. With `query` another one is tried in its place: the answer tells which templates it would break, before anything is kept. `keep` keeps it, with the fields that were found.',
      access: ['extractions:update'],
      params: closed({ id: Uuid }),
      body: ExtractionRun,
      answers: { 200: reference('ExtractionResult') },
      errors: ['unprocessable', 'extraction_failed', 'source_unavailable', 'precondition_failed'],
    }),
    async (request) => {
      const caller = callerOf(request);
      const { tenantId } = caller;
      const { keys, query, keep = false } = request.body;
      const before = await getExtraction(runtime.db, tenantId, request.params.id);
      const tried = { ...before, query: query ?? before.query };
      checkQuery(await getDataSource(runtime.db, tenantId, tried.dataSourceId), tried.query);
      const found = await runExtraction(runtime, tried, keys);
      const after = { ...tried, fields: found.fields };
      if (keep) {
        const change = changeOfRun(before, after);
        const target = { tenantId, id: before.id, actor: actorOf(caller) };
        await runtime.db.transaction((tx) => changeExtraction(runtime, tx, target, change));
      }
      const { broken } = await oneWithBroken(runtime.db, 'extraction', after);
      return { rows: presentRows(found), fields: found.fields, broken, kept: keep };
    },
  );
}

/** Extractions: named queries that give merge fields (M3). */
export function extractionRoutes(app: App, runtime: Runtime): void {
  for (const component of [Extraction, ExtractionResult]) app.addSchema(component);
  const extractions: Resource<Shown> = {
    name: 'extractions',
    component: 'Extraction',
    tag: 'content',
    get: async (tenantId, id) => oneWithBroken(runtime.db, 'extraction', await getExtraction(runtime.db, tenantId, id)),
    complete: (row) => oneWithBroken(runtime.db, 'extraction', row),
    present({ tenantId: _tenantId, revision: _revision, dataSourceId, ...shown }) {
      return { ...shown, dataSource: dataSourceId };
    },
  };
  const faults = ['unprocessable', 'extraction_failed', 'source_unavailable'] as const;
  createRoute(app, runtime, extractions, {
    summary: 'Add an extraction',
    description:
      'A named query that gives the merge fields of some keys. Without `fields` its database is asked which it gives, and reads nothing for it; with `fields` it is not asked.',
    body: NewExtraction,
    errors: ['conflict', ...faults],
    prepare: (caller, body) => prepareExtraction(runtime, caller.tenantId, body),
    create: (tx, caller, _body, prepared) => addExtraction(runtime, tx, caller.tenantId, actorOf(caller), prepared),
  });
  changeRoute(app, runtime, extractions, {
    summary: 'Change an extraction',
    description:
      'The answer tells which published templates read fields that nothing gives any more (`broken`). A change of what it gives asks its database for the fields, unless `fields` says them.',
    body: ExtractionChange,
    errors: faults,
    prepare: (target, body) => prepareChange(runtime, target, body),
    async change(tx, target, _body, _caller, prepared) {
      return { ...(await changeExtraction(runtime, tx, target, prepared)), broken: [] };
    },
  });
  deleteRoute(app, runtime, extractions, {
    summary: 'Delete an extraction that no template names or needs',
    errors: ['in_use'],
    remove: (tx, tenantId, actor, id) => deleteExtraction(runtime, tx, tenantId, actor, id),
  });
  listRoute(app, runtime, extractions, {
    summary: 'List extractions',
    filter: {
      key: Type.Optional(key({ description: 'The one with this key.' })),
      dataSource: Type.Optional(Type.String({ ...Uuid, description: 'Those that ask this data source.' })),
    },
    async list(tenantId, page, { key: named, dataSource }) {
      const filter = {
        ...(named === undefined ? {} : { key: named }),
        ...(dataSource === undefined ? {} : { dataSourceId: dataSource }),
      };
      return withBroken(runtime.db, tenantId, 'extraction', await listExtractions(runtime.db, tenantId, page, filter));
    },
  });
  readRoute(app, extractions, { summary: 'Read an extraction' });
  runRoute(app, runtime);
}
