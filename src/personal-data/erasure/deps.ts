import type { MoveDeps } from '../../messages/to-valid.ts';
import type { UnsubscribeLinks } from '../../messages/unsubscribe/links.ts';
import type { Renderer } from '../../templates/rendering/renderer.ts';
import type { Secrets } from '../../tenants/secrets.ts';

/** What erasing needs. */
export interface ErasureDeps extends MoveDeps {
  secrets: Secrets;
  renderer: Renderer;
  links: UnsubscribeLinks;
}

/** Whose messages are erased, and by which operation. */
export interface Erasure {
  tenantId: string;
  operationId: string;
}
