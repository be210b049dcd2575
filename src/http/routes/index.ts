import type { Runtime } from '../../runtime.ts';
import type { App } from '../validation.ts';
import { accessRoutes } from './access.ts';
import { audienceRoutes } from './audience.ts';
import { channelAccountRoutes } from './channel-accounts.ts';
import { dataSourceRoutes } from './data-sources.ts';
import { documentRoutes } from './documents.ts';
import { eventRoutes } from './events.ts';
import { exportRoutes } from './exports.ts';
import { extractionRoutes } from './extractions.ts';
import { fieldRoutes } from './fields.ts';
import { healthRoutes } from './health.ts';
import { importRoutes } from './imports.ts';
import { layoutRoutes } from './layouts.ts';
import { leftOutRoutes } from './left-out.ts';
import { messageActionRoutes } from './message-actions.ts';
import { messageViewRoutes } from './message-views.ts';
import { messageRoutes } from './messages.ts';
import { notificationTypeRoutes } from './notification-types.ts';
import { operationRoutes } from './operations.ts';
import { permissionRoutes } from './permissions.ts';
import { personalDataRoutes } from './personal-data.ts';
import { recipientTypeRoutes } from './recipient-types.ts';
import { recipientRoutes } from './recipients.ts';
import { responseRoutes } from './responses.ts';
import { sendRequestRoutes } from './send-requests.ts';
import { senderRoutes } from './senders.ts';
import { suppressionRoutes } from './suppressions.ts';
import { templateConversionRoutes } from './template-conversion.ts';
import { templateReviewRoutes } from './template-review.ts';
import { templateVersionRoutes } from './template-versions.ts';
import { templateRoutes } from './templates.ts';
import { tenantRoutes } from './tenants.ts';
import { unsubscribeRoutes } from './unsubscribe.ts';

/** A file of routes. */
export type Routes = (app: App, runtime: Runtime) => void | Promise<void>;

/** Every route of the API, in the order of its page. */
const allRoutes: readonly Routes[] = [
  tenantRoutes,
  accessRoutes,
  templateRoutes,
  templateVersionRoutes,
  templateReviewRoutes,
  templateConversionRoutes,
  fieldRoutes,
  layoutRoutes,
  dataSourceRoutes,
  extractionRoutes,
  senderRoutes,
  documentRoutes,
  recipientTypeRoutes,
  recipientRoutes,
  audienceRoutes,
  responseRoutes,
  personalDataRoutes,
  permissionRoutes,
  notificationTypeRoutes,
  suppressionRoutes,
  unsubscribeRoutes,
  importRoutes,
  sendRequestRoutes,
  leftOutRoutes,
  messageRoutes,
  messageViewRoutes,
  messageActionRoutes,
  channelAccountRoutes,
  operationRoutes,
  exportRoutes,
  eventRoutes,
  healthRoutes,
];

/** Registers them all. */
export async function registerRoutes(app: App, runtime: Runtime): Promise<void> {
  for (const routes of allRoutes) await routes(app, runtime);
}
