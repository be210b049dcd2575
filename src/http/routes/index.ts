import type { Runtime } from '../../runtime.ts';
import type { App } from '../validation.ts';
import { accessRoutes } from './access.ts';
import { channelAccountRoutes } from './channel-accounts.ts';
import { documentRoutes } from './documents.ts';
import { notificationTypeRoutes } from './notification-types.ts';
import { recipientRoutes } from './recipients.ts';
import { senderRoutes } from './senders.ts';

/** A file of routes. */
export type Routes = (app: App, runtime: Runtime) => void | Promise<void>;

/** Every route of the API, in the order of its page. */
const allRoutes: readonly Routes[] = [
  accessRoutes,
  senderRoutes,
  documentRoutes,
  recipientRoutes,
  notificationTypeRoutes,
  channelAccountRoutes,
];

/** Registers them all. */
export async function registerRoutes(app: App, runtime: Runtime): Promise<void> {
  for (const routes of allRoutes) await routes(app, runtime);
}
