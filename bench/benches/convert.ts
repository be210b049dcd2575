import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, median, type Result, type Run, secondsOf } from '../measure.ts';
import { hasFinding, isNotUnderstood, oldTemplate } from '../old-templates.ts';

const tool = fileURLToPath(new URL('../../tools/convert-folder.ts', import.meta.url));

/** Runs the tool as a person does. It ends with 1: some fields are none. */
async function runTool(from: string, into: string): Promise<void> {
  const child = spawn(process.execPath, [tool, from, '--into', into], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  check('exit code', code, 1);
}

async function checkReport(into: string, numbers: readonly number[]): Promise<void> {
  const lines = (await readFile(join(into, 'report.csv'), 'utf8')).split('\r\n');
  const having = (outcome: string) => lines.filter((line) => line.includes(`"${outcome}"`)).length;
  check('findings', having('typed_in_mail_address'), numbers.filter(hasFinding).length);
  check('fields that are none', having('not_understood'), numbers.filter(isNotUnderstood).length);
  const last = numbers.at(-1) ?? 0;
  const text = await readFile(join(into, `${last}.html`), 'utf8');
  check('fields left in the last', text.match(/\$[({][a-z]|\[URL|\{Adr/g)?.length ?? 0, 0);
}

/** Converting and checking 1,000 old templates of 7 kB with the tool, from its start to its end. */
export async function convert(run: Run): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'notifications-bench-'));
  const numbers = Array.from({ length: run.quick ? 50 : 1_000 }, (_, index) => index);
  const seconds: number[] = [];
  try {
    const from = await mkdtemp(join(folder, 'old-'));
    for (const number of numbers) await writeFile(join(from, `${number}.html`), oldTemplate(number));
    for (let turn = 1; turn <= (run.quick ? 1 : 5); turn += 1) {
      const into = join(folder, `new-${turn}`);
      seconds.push(await secondsOf(() => runTool(from, into)));
      await checkReport(into, numbers);
      run.tell(`convert ${turn}: ${seconds.at(-1)?.toFixed(2)} s`);
    }
    return { name: 'convert', ours: median(seconds), against: null, ratio: null, unit: 's' };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
