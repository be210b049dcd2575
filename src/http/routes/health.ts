import Type from 'typebox';
import { AppError } from '../../errors.ts';
import { closed } from '../../fields.ts';
import { isReady } from '../../reports/ready.ts';
import type { Runtime } from '../../runtime.ts';
import { operation } from '../openapi.ts';
import type { App } from '../validation.ts';

const State = closed({ status: Type.String({ enum: ['ok'] }) });

/** Health: for load balancers and orchestrators. */
export function healthRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/health/live',
    operation({
      id: 'getLiveness',
      tag: 'service',
      summary: 'Whether the process answers; the database is not asked',
      access: 'public',
      answers: { 200: State },
    }),
    async () => ({ status: 'ok' }),
  );

  app.get(
    '/health/ready',
    operation({
      id: 'getReadiness',
      tag: 'service',
      summary: 'Whether the service can work: the database answers and is migrated',
      access: 'public',
      answers: { 200: State },
    }),
    async () => {
      if (!(await isReady(runtime.db))) throw new AppError('unavailable');
      return { status: 'ok' };
    },
  );
}
