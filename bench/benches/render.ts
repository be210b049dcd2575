import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createRenderer, type PrepareTask, type Renderer } from '../../src/templates/rendering/renderer.ts';
import type { BareRenderOrder, BareRenderReport } from '../bare-renderer.worker.ts';
import { rowOf, template } from '../mails.ts';
import { check, inPairs, type Result, type Run, secondsOf } from '../measure.ts';

/** As many on both sides: what `RENDER_THREADS` is by default. */
const threads = 2;
/** What a send request may have: the pool is given so many at once, and makes batches of them. */
const messagesPerCall = 10_000;

/** As intake makes them, the JSON text of the data included; without a mail there is no hash. */
function taskOf(number: number): PrepareTask {
  return {
    template: 'notice/1',
    dataJson: JSON.stringify(rowOf(number).data),
    clockAt: '2026-11-22T09:00:00Z',
    timezone: 'Europe/Paris',
    locale: 'fr-FR',
    overrides: {},
    mail: null,
    composition: null,
  };
}

/** @returns characters of all parts. */
async function renderInPool(renderer: Renderer, count: number): Promise<number> {
  let characters = 0;
  for (let made = 0; made < count; made += messagesPerCall) {
    const tasks = Array.from({ length: Math.min(messagesPerCall, count - made) }, (_, index) => taskOf(made + index));
    for (const result of await renderer.prepare({ 'notice/1': template }, tasks)) {
      if (result.kind !== 'prepared') throw new Error(`a mail was not rendered: ${JSON.stringify(result)}`);
      characters += result.subject.length + result.text.length + result.html.length;
    }
  }
  return characters;
}

async function renderBare(thread: Worker, order: BareRenderOrder): Promise<BareRenderReport> {
  const answered = once(thread, 'message');
  thread.postMessage(order);
  const [report] = (await answered) as [BareRenderReport];
  return report;
}

/** Rendering through the pool, against LiquidJS that renders inline in as many threads. Rates are those of one thread. */
export async function render(run: Run): Promise<Result> {
  const count = run.quick ? 2_000 : 100_000;
  const renderer = createRenderer({ threads });
  const script = new URL('../bare-renderer.worker.ts', import.meta.url);
  const bare = Array.from({ length: threads }, () => new Worker(script));
  let characters = 0;
  const ours = async (mails = count) => {
    const seconds = await secondsOf(async () => {
      characters = await renderInPool(renderer, mails);
    });
    return mails / seconds / threads;
  };
  const against = async (mails = count) => {
    const share = mails / threads;
    const reports = await Promise.all(
      bare.map((thread, index) => renderBare(thread, { from: index * share, count: share })),
    );
    const given = reports.reduce((sum, report) => sum + report.characters, 0);
    check('characters', characters, given);
    return reports.reduce((sum, { milliseconds }) => sum + (share / milliseconds) * 1_000, 0) / threads;
  };
  try {
    // The code of both is compiled when it counts.
    await ours(count / 10);
    await against(count / 10);
    return await inPairs(
      run,
      'render',
      'mails/s a thread',
      () => ours(),
      () => against(),
    );
  } finally {
    await renderer.close();
    for (const thread of bare) await thread.terminate();
  }
}
