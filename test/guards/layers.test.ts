import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import ts from 'typescript';

const src = fileURLToPath(new URL('../../src', import.meta.url));

/** Stages may import those to their left only. `accounts` and `senders` are the settings that templates and messages use. */
const stages = [
  'row-files',
  'tenants',
  'events',
  'accounts',
  'senders',
  'documents',
  'merge-fields',
  'extractions',
  'templates',
  'recipients',
  'suppressions',
  'messages',
  'personal-data',
  'operations',
  'send-requests',
  'dispatch',
  'planning',
  'webhooks',
  'reports',
];

/** From the top down: a folder imports its own layer (stages: see above) and the layers below it. */
const layerOf = new Map<string, number>([
  ['entry', 0],
  ['http', 1],
  ...stages.map((stage): [string, number] => [stage, 2]),
  ['channels', 3],
  ['queue', 4],
  ['db', 4],
  ['base', 5],
]);

/** Files of `src/` itself that wire the others together; every other file there (`errors.ts`, …) is for all layers. */
const entries = [
  'server.ts',
  'worker.ts',
  'start.ts',
  'migrate.ts',
  'export-openapi.ts',
  'background.ts',
  'shutdown.ts',
  'runtime.ts',
];

const packageHomes: [pattern: RegExp, home: string][] = [
  [/^(liquidjs|juice|html-to-text|mjml)(\/|$)/, 'templates'],
  [/^(nodemailer|twilio)(\/|$)/, 'channels'],
  [/^pg-boss(\/|$)/, 'queue'],
  [/^(pg|mariadb)(\/|$)/, 'extractions'],
  [/^(fastify$|@fastify\/(?!type-provider-typebox))/, 'http'],
];

const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(join(src, path), 'utf8') }));

function folderOf(path: string): string {
  const [first = '', ...rest] = path.split('/');
  if (rest.length > 0) return first;
  return entries.includes(first) ? 'entry' : 'base';
}

interface Import {
  specifier: string;
  /** Types leave no trace at run time. */
  typeOnly: boolean;
}

function importsOf({ path, text }: { path: string; text: string }): Import[] {
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      const typeOnly = ts.isImportDeclaration(node)
        ? node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
        : node.isTypeOnly;
      if (ts.isStringLiteral(node.moduleSpecifier)) found.push({ specifier: node.moduleSpecifier.text, typeOnly });
    }
    // `import('x')`, and `new URL('./x.worker.ts', import.meta.url)`, which is how threads are started.
    const dynamic = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword;
    const thread = ts.isNewExpression(node) && node.expression.getText() === 'URL';
    const [argument] = dynamic || thread ? (node.arguments ?? []) : [];
    if (argument !== undefined && ts.isStringLiteral(argument) && (dynamic || argument.text.endsWith('.ts'))) {
      found.push({ specifier: argument.text, typeOnly: false });
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  return found;
}

function targetOf(path: string, specifier: string): string {
  return relative(src, join(src, dirname(path), specifier));
}

/** Why an import goes up or sideways; undefined when it goes down. */
function fault(from: string, to: string): string | undefined {
  const [source, target] = [folderOf(from), folderOf(to)];
  if (source === target) return undefined;
  const [above, below] = [layerOf.get(source), layerOf.get(target)];
  if (above === undefined || below === undefined) return undefined;
  if (above > below) return 'goes up';
  if (above < below) return undefined;
  if (above === 2) return stages.indexOf(target) < stages.indexOf(source) ? undefined : 'goes to a stage on its right';
  // The queue works inside transactions of the database, never the other way round.
  return source === 'queue' && target === 'db' ? undefined : 'goes sideways';
}

const internal = files.flatMap((file) =>
  importsOf(file)
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map((found) => ({ ...found, from: file.path, to: targetOf(file.path, found.specifier) })),
);

test('there is something to guard', async (t) => {
  t.ok(files.length > 20, `${files.length} files`);
  t.ok(internal.length > 50, `${internal.length} imports`);
});

test('every folder of src has its place in the layers', async (t) => {
  const folders = new Set(files.map(({ path }) => folderOf(path)));
  t.strictSame(
    [...folders].filter((folder) => !layerOf.has(folder)),
    [],
  );
});

test('no folder is a drawer for everything', async (t) => {
  const drawers = /(^|\/)(utils?|common|helpers?|types|shared|misc|lib)\//;
  t.strictSame(
    files.map(({ path }) => path).filter((path) => drawers.test(path)),
    [],
  );
});

test('imports go down, and between stages to the left', async (t) => {
  // A verb may name the type of what is handed to it by `runtime.ts`; nothing of it is loaded.
  const handedDown = internal.filter(({ to, typeOnly }) => !(typeOnly && to === 'runtime.ts'));
  const faults = handedDown.flatMap(({ from, to }) => {
    const why = fault(from, to);
    return why === undefined ? [] : [`${from} imports ${to}: ${why}`];
  });
  t.strictSame(faults, []);
});

test('routes call the stages, never the database, the queue or the drivers', async (t) => {
  const faults = internal
    .filter(({ from, to }) => from.startsWith('http/routes/') && ['db', 'queue', 'channels'].includes(folderOf(to)))
    .map(({ from, to }) => `${from} imports ${to}`);
  t.strictSame(faults, []);
});

test('imports inside src name a file that exists, with its extension', async (t) => {
  const known = new Set(files.map(({ path }) => path));
  const faults = internal.filter(({ to }) => to.endsWith('.ts') && !known.has(to) && !to.startsWith('..'));
  t.strictSame(
    faults.map(({ from, to }) => `${from} imports ${to}`),
    [],
  );
});

test('a package that does one job is known to one folder', async (t) => {
  const faults = files.flatMap((file) =>
    importsOf(file).flatMap(({ specifier }) =>
      packageHomes
        .filter(([pattern, home]) => pattern.test(specifier) && folderOf(file.path) !== home)
        .map(([, home]) => `${file.path} imports ${specifier}, which belongs to ${home}/`),
    ),
  );
  t.strictSame(faults, []);
});

test('no file of src is longer than 300 lines', async (t) => {
  const long = files.filter(({ text }) => text.trimEnd().split('\n').length > 300);
  t.strictSame(
    long.map(({ path }) => path),
    [],
  );
});

test('the environment is read in config.ts only', async (t) => {
  const readers = files.filter(({ text }) => /process\.env\b/.test(text)).map(({ path }) => path);
  t.strictSame(readers, ['config.ts']);
});
