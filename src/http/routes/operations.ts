import { closed, reference, Uuid } from '../../fields.ts';
import { Operation, OperationStarted } from '../../operations/schema.ts';
import { getOperation, type OperationRow } from '../../operations/store.ts';
import type { Runtime } from '../../runtime.ts';
import { callerOf } from '../auth.ts';
import { operation } from '../openapi.ts';
import type { App } from '../validation.ts';

/** An operation as the API shows it. */
export function presentOperation(row: OperationRow) {
  const { tenantId: _tenantId, test: _test, parameters: _parameters, actor: _actor, cursor: _cursor, ...rest } = row;
  const { imported, ...shown } = rest;
  return imported === null ? shown : { ...shown, import: imported };
}

/** Operations: the progress of what was accepted with a 202. */
export function operationRoutes(app: App, runtime: Runtime): void {
  for (const component of [Operation, OperationStarted]) app.addSchema(component);
  app.get(
    '/v1/operations/:id',
    operation({
      id: 'getOperation',
      tag: 'following',
      summary: 'Progress, counts and errors of an operation',
      access: ['operations:read'],
      params: closed({ id: Uuid }),
      answers: { 200: reference('Operation') },
    }),
    async (request) => presentOperation(await getOperation(runtime.db, callerOf(request), request.params.id)),
  );
}
