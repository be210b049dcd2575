/** The routes that every kind of resource has which people edit: make, list, read, change, delete. */
import Type, { type Static, type TProperties, type TSchema } from 'typebox';
import type { Tx } from '../db/client.ts';
import type { ErrorCode } from '../errors.ts';
import { closed, reference, Uuid } from '../fields.ts';
import type { Runtime } from '../runtime.ts';
import { type Actor, actorOf, type Caller, type Scope } from '../tenants/rights.ts';
import { callerOf } from './auth.ts';
import { runIdempotently } from './idempotency.ts';
import { operation } from './openapi.ts';
import type { tags } from './openapi-operation.ts';
import { type Page, pageOf, pageQuery, paginate, readPage } from './pagination.ts';
import { expectedRevision, shown } from './precondition.ts';
import { inTransaction } from './transaction.ts';
import type { App } from './validation.ts';

/** A kind of resource, with how its rows are read and shown. */
export interface Resource<Row> {
  /** In paths and scopes, e.g. `senders`. */
  name: Scope extends infer Known ? (Known extends `${infer Name}:read` ? Name : never) : never;
  /** Its component in the document, e.g. `Sender`; operations are named after it. */
  component: string;
  tag: keyof typeof tags;
  /** The `id` in its paths, where it is not a UUID alone. */
  id?: TSchema;
  get(tenantId: string, id: string): Promise<Row>;
  present(row: Row): object;
  /** What is shown of a row that was changed, and is not worth holding locks for. */
  complete?(row: Row): Promise<Row>;
}

/** What the document says of one of its operations. */
interface Description {
  summary: string;
  description?: string;
  errors?: readonly ErrorCode[];
}

/** The resource that a change is about; `revision` is what `If-Match` said, null for `*`. */
export interface ChangeTarget {
  tenantId: string;
  id: string;
  actor: Actor;
  revision: number | null;
}

type EditedRow = { id: string; revision: number };

const pathOf = ({ name }: Pick<Resource<never>, 'name'>) => `/v1/${name}`;
const idOf = ({ id = Uuid }: Pick<Resource<never>, 'id'>) => closed({ id });
const idIn = (params: unknown) => (params as { id: string }).id;
const pluralOf = ({ component }: Pick<Resource<never>, 'component'>) => `${component}s`;

/** `POST`: makes one, once per `Idempotency-Key`. */
export function createRoute<Row extends EditedRow, Body extends TSchema, Prepared = undefined>(
  app: App,
  runtime: Runtime,
  resource: Resource<Row>,
  route: Description & {
    body: Body;
    /** What takes long, before the transaction. */
    prepare?(caller: Caller, body: Static<Body>): Promise<Prepared>;
    create(tx: Tx, caller: Caller, body: Static<Body>, prepared: Prepared): Promise<{ id: string }>;
  },
): void {
  const { prepare, create, ...described } = route;
  app.post(
    pathOf(resource),
    operation({
      id: `create${resource.component}`,
      tag: resource.tag,
      access: [`${resource.name}:create`],
      idempotency: 'accepted',
      answers: { 201: reference(resource.component) },
      ...described,
    }),
    (request, reply) => {
      const caller = callerOf(request);
      const body = request.body as Static<Body>;
      let prepared: Prepared | undefined;
      return runIdempotently<{ id: string }>(runtime, request, reply, request.body, {
        async prepare() {
          prepared = await prepare?.(caller, body);
        },
        async commit(tx) {
          const { id } = await create(tx, caller, body, prepared as Prepared);
          return { status: 201, answer: { id } };
        },
        present: async ({ id }) => shown(reply, await resource.get(caller.tenantId, id), resource.present),
        location: ({ id }) => `${pathOf(resource)}/${id}`,
      });
    },
  );
}

/** `GET` of all, newest first, by pages. @param route.filter further members of the query. */
export function listRoute<Row extends EditedRow, Filter extends TProperties>(
  app: App,
  runtime: Runtime,
  resource: Resource<Row>,
  route: Description & {
    filter?: Filter;
    list(tenantId: string, page: Page, query: Static<ReturnType<typeof closed<Filter>>>): Promise<Row[]>;
  },
): void {
  const { list, filter, ...described } = route;
  app.get(
    pathOf(resource),
    operation({
      id: `list${pluralOf(resource)}`,
      tag: resource.tag,
      access: [`${resource.name}:read`],
      query: closed({ ...pageQuery, ...filter }),
      answers: { 200: pageOf(resource.component) },
      errors: ['invalid_cursor'],
      ...described,
    }),
    async (request) => {
      const query = request.query as { limit: number; cursor?: string } & Static<ReturnType<typeof closed<Filter>>>;
      const page = readPage(runtime.secrets, resource.name, query);
      const rows = await list(callerOf(request).tenantId, page, query);
      return paginate(runtime.secrets, resource.name, page, rows, {
        position: ({ id }) => id,
        present: resource.present,
      });
    },
  );
}

/** `GET` of one, with its `ETag`. */
export function readRoute<Row extends EditedRow>(app: App, resource: Resource<Row>, route: Description): void {
  app.get(
    `${pathOf(resource)}/:id`,
    operation({
      id: `get${resource.component}`,
      tag: resource.tag,
      access: [`${resource.name}:read`],
      params: idOf(resource),
      answers: { 200: reference(resource.component) },
      ...route,
    }),
    async (request, reply) =>
      shown(reply, await resource.get(callerOf(request).tenantId, idIn(request.params)), resource.present),
  );
}

/** `PATCH`, under `If-Match`. */
export function changeRoute<Row extends EditedRow, Body extends TSchema, Prepared = undefined>(
  app: App,
  runtime: Runtime,
  resource: Resource<Row>,
  route: Description & {
    body: Body;
    /** What takes long, before the transaction. */
    prepare?(target: ChangeTarget, body: Static<Body>): Promise<Prepared>;
    change(tx: Tx, target: ChangeTarget, body: Static<Body>, caller: Caller, prepared: Prepared): Promise<Row>;
  },
): void {
  const { prepare, change, ...described } = route;
  app.patch(
    `${pathOf(resource)}/:id`,
    operation({
      id: `update${resource.component}`,
      tag: resource.tag,
      access: [`${resource.name}:update`],
      params: idOf(resource),
      conditional: true,
      answers: { 200: reference(resource.component) },
      ...described,
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const revision = expectedRevision(request);
      const target = { tenantId: caller.tenantId, id: idIn(request.params), actor: actorOf(caller), revision };
      const body = request.body as Static<Body>;
      const prepared = (await prepare?.(target, body)) as Prepared;
      const row = await inTransaction(runtime, (tx) => change(tx, target, body, caller, prepared));
      return shown(reply, (await resource.complete?.(row)) ?? row, resource.present);
    },
  );
}

/** `DELETE`. */
export function deleteRoute<Row extends EditedRow>(
  app: App,
  runtime: Runtime,
  resource: Resource<Row>,
  route: Description & {
    /** What takes long, or may not be undone, before the transaction. */
    prepare?(tenantId: string): Promise<void>;
    remove(tx: Tx, tenantId: string, actor: Actor, id: string): Promise<void>;
  },
): void {
  const { prepare, remove, ...described } = route;
  app.delete(
    `${pathOf(resource)}/:id`,
    operation({
      id: `delete${resource.component}`,
      tag: resource.tag,
      access: [`${resource.name}:update`],
      params: idOf(resource),
      answers: { 204: Type.Null() },
      ...described,
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const id = idIn(request.params);
      await prepare?.(caller.tenantId);
      await inTransaction(runtime, (tx) => remove(tx, caller.tenantId, actorOf(caller), id));
      return reply.code(204).send(null);
    },
  );
}
