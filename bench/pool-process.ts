/** The bare side of the dispatch benches: one thread that renders, composes and sends through nodemailer's pool. */
import { Liquid } from 'liquidjs';
import { createTransport } from 'nodemailer';
import type { PoolOrder } from './children.ts';
import { documentEvery, pdf, rowOf, template } from './mails.ts';

const engine = new Liquid({ strictVariables: true, outputEscape: 'escape' });
const plain = new Liquid({ strictVariables: true });
const parts = {
  subject: plain.parse(template.subject),
  text: plain.parse(template.text),
  html: engine.parse(template.html),
};
const document = pdf();

async function send({ port, connections, count }: PoolOrder): Promise<number> {
  const transport = createTransport({
    host: '127.0.0.1',
    port,
    secure: false,
    ignoreTLS: true,
    pool: true,
    maxConnections: connections,
    maxMessages: Number.POSITIVE_INFINITY,
  });
  const startedAt = performance.now();
  let next = 0;
  const work = async (): Promise<void> => {
    for (let number = next++; number < count; number = next++) {
      const { to, data } = rowOf(number);
      await transport.sendMail({
        from: { name: 'Courtage', address: 'gestion@courtage.test' },
        to,
        subject: plain.renderSync(parts.subject, data),
        text: plain.renderSync(parts.text, data),
        html: engine.renderSync(parts.html, data),
        ...(number % documentEvery === 0
          ? { attachments: [{ filename: 'avis.pdf', contentType: 'application/pdf', content: document }] }
          : {}),
        disableFileAccess: true,
        disableUrlAccess: true,
      });
    }
  };
  // Twice the connections: the pool has the next mail at hand when a connection is free.
  await Promise.all(Array.from({ length: connections * 2 }, work));
  const milliseconds = performance.now() - startedAt;
  transport.close();
  return milliseconds;
}

process.on('message', (order: PoolOrder) => {
  void send(order).then((milliseconds) => process.send?.({ milliseconds }));
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });
