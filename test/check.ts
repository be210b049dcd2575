/** `npm run check`: everything that is checked beside the tests. Each step prints its name; all run, whatever fails. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const colors = process.stdout.isTTY ? '--colors=force' : '--colors=off';
const openapi = `${root}openapi/openapi.json`;

const steps: [name: string, run: () => boolean | Promise<boolean>][] = [
  ['format and lint (biome)', () => run('biome', 'ci', '--error-on-warnings', colors, '.')],
  ['types (tsc)', () => run('tsc', '--project', '.')],
  ['unused files, exports and dependencies (knip)', () => run('knip', '--no-progress')],
  ['openapi/openapi.json is current', openapiIsCurrent],
  ['openapi/openapi.json is sound (redocly)', () => run('redocly', 'lint', openapi)],
  ['migrations apply to an empty database', migrationsApply],
];

let failed = 0;
for (const [name, step] of steps) {
  const startedAt = performance.now();
  let passed = false;
  try {
    passed = await step();
  } catch (error) {
    console.error(error);
  }
  if (!passed) failed += 1;
  console.log(`check ${passed ? 'ok' : 'FAILED'}: ${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
}
console.log(`checks: ${steps.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** npm puts `node_modules/.bin` first in PATH for its scripts: the commands and the right Node are found there. */
function run(command: string, ...args: string[]): boolean {
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  const result = spawnSync(command, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] });
  if (result.error !== undefined) console.error(`${command}: ${result.error.message}`);
  return result.status === 0;
}

function openapiIsCurrent(): boolean {
  const committed = existsSync(openapi) ? readFileSync(openapi, 'utf8') : undefined;
  if (committed === undefined) {
    console.error('openapi/openapi.json is missing: run "npm run openapi".');
    return false;
  }
  try {
    if (!run('node', 'src/export-openapi.ts')) return false;
    if (readFileSync(openapi, 'utf8') === committed) return true;
    console.error('The routes have changed: run "npm run openapi" and commit openapi/openapi.json.');
    return false;
  } finally {
    writeFileSync(openapi, committed);
  }
}

async function migrationsApply(): Promise<boolean> {
  const { createEmptyDatabase, stopTestServer } = await import('./support/postgres.ts');
  const { migrate } = await import('../src/migrate.ts');
  const database = await createEmptyDatabase();
  try {
    await migrate({ databaseUrl: database.url });
    await migrate({ databaseUrl: database.url });
    return true;
  } finally {
    await database.drop();
    await stopTestServer(process.pid);
  }
}
