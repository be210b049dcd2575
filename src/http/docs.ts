import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';

/** The document at `/openapi.json` and a readable page with a try-it console at `/docs`. Nothing is loaded from elsewhere. */
export async function useDocs(app: FastifyInstance): Promise<void> {
  app.get('/openapi.json', { schema: { hide: true }, config: { access: 'public' } }, async () => app.swagger());
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { docExpansion: 'list', persistAuthorization: true, displayRequestDuration: true, tryItOutEnabled: true },
    // The page is about this one document: no bar to load another, and no logo of a library.
    theme: {
      title: 'Headless notification service',
      css: [{ filename: 'page.css', content: '.swagger-ui .topbar { display: none }' }],
    },
  });
}
