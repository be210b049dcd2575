/** The bare side of `render`: plain LiquidJS in a thread, which renders inline what lies there already. */
import { parentPort } from 'node:worker_threads';
import { Liquid } from 'liquidjs';
import { rowOf, template } from './mails.ts';

/** Mails of so many recipients, from a number on. */
export interface BareRenderOrder {
  from: number;
  count: number;
}

/** How long the rendering alone took, and how many characters it gave. */
export interface BareRenderReport {
  milliseconds: number;
  characters: number;
}

const html = new Liquid({ strictVariables: true, outputEscape: 'escape' });
const plain = new Liquid({ strictVariables: true });
const parts = {
  subject: plain.parse(template.subject),
  text: plain.parse(template.text),
  html: html.parse(template.html),
};

function render({ from, count }: BareRenderOrder): BareRenderReport {
  const rows = Array.from({ length: count }, (_, index) => rowOf(from + index).data);
  let characters = 0;
  const startedAt = performance.now();
  for (const data of rows) {
    characters += plain.renderSync(parts.subject, data).length;
    characters += plain.renderSync(parts.text, data).length;
    characters += html.renderSync(parts.html, data).length;
  }
  return { milliseconds: performance.now() - startedAt, characters };
}

parentPort?.on('message', (order: BareRenderOrder) => parentPort?.postMessage(render(order)));
