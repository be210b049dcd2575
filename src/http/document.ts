import { createIdSource, systemClock } from '../clock.ts';
import type { Runtime } from '../runtime.ts';
import { createSecrets } from '../tenants/secrets.ts';
import { buildApp } from './app.ts';

const refuse = (): never => {
  throw new Error('the OpenAPI document is made without any client');
};

/** The OpenAPI document, from the routes themselves: no database, no queue, no settings of a deployment. */
export async function openapiDocument(): Promise<object> {
  const unused = new Proxy({}, { get: refuse });
  const runtime = {
    config: { publicUrl: null, requestsPerMinute: 1, deployment: 'test' },
    clock: systemClock,
    newId: createIdSource(systemClock),
    secrets: createSecrets([Buffer.alloc(32).toString('base64')]),
    db: unused,
    jobs: unused,
    renderer: unused,
    reader: unused,
    log: { info: () => undefined, error: () => undefined },
  } as unknown as Runtime;
  const app = await buildApp(runtime);
  await app.ready();
  const document = app.swagger();
  await app.close();
  return document;
}
