/**
 * `npm run convert -- <folder> [--into <folder>] [--syntax dollar]`: turns the texts of a folder, in the syntax of an older
 * application, into Liquid. The texts themselves are left as they are.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type ConvertedField,
  convertOldFields,
  type OldSyntax,
  oldSyntaxes,
} from '../src/templates/convert/convert.ts';
import { parseTemplateParts } from '../src/templates/rendering/liquid.ts';
import { createProgressDisplay } from './progress.ts';

const usage = `npm run convert -- <folder> [--into <folder>] [--syntax ${oldSyntaxes.join('|')}]…`;
const htmlEndings = new Set(['.html', '.htm']);
const endings = new Set([...htmlEndings, '.txt']);

/** What was done with one file. */
interface Converted {
  file: string;
  fields: ConvertedField[];
  problem: string | null;
}

/** UTF-8, or what Windows wrote before it: old texts are in both. */
function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

async function convertFile(
  from: string,
  into: string,
  file: string,
  syntaxes: readonly OldSyntax[],
): Promise<Converted> {
  const html = htmlEndings.has(extname(file).toLowerCase());
  const { text, fields } = convertOldFields(decode(await readFile(join(from, file))), { html, syntaxes });
  const parsed = parseTemplateParts({ subject: '', text: '', html: '', [html ? 'html' : 'text']: text });
  const [problem] = parsed.kind === 'problems' ? parsed.problems : [];
  const target = join(into, file);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, text);
  return { file, fields, problem: problem === undefined ? null : `line ${problem.line}: ${problem.message}` };
}

const quoted = (value: string | number) => `"${String(value).replaceAll('"', '""')}"`;

/** A line for each field, as spreadsheets read it. */
function reportOf(converted: readonly Converted[]): string {
  const lines = converted.flatMap(({ file, fields }) =>
    fields.map(({ line, field, liquid, outcome, count }) => [file, line, field, liquid ?? '', outcome, count]),
  );
  return [['file', 'line', 'field', 'liquid', 'outcome', 'count'], ...lines]
    .map((line) => `${line.map(quoted).join(';')}\r\n`)
    .join('');
}

function readCommandLine(): { from: string; into: string; syntaxes: readonly OldSyntax[] } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { into: { type: 'string' }, syntax: { type: 'string', multiple: true } },
  });
  const [folder] = positionals;
  const asked = values.syntax ?? [...oldSyntaxes];
  const syntaxes = oldSyntaxes.filter((known) => asked.includes(known));
  if (folder === undefined || positionals.length > 1 || syntaxes.length !== new Set(asked).size) {
    console.error(usage);
    process.exit(2);
  }
  const from = resolve(folder);
  const into = resolve(values.into ?? `${from}-liquid`);
  if (into === from || into.startsWith(join(from, '/'))) {
    console.error('--into: must be a folder outside the one that is converted');
    process.exit(2);
  }
  return { from, into, syntaxes };
}

const { from, into, syntaxes } = readCommandLine();
const found = await readdir(from, { recursive: true, withFileTypes: true }).catch((error: Error) => {
  console.error(error.message);
  process.exit(2);
});
const files = found
  .filter((entry) => entry.isFile() && endings.has(extname(entry.name).toLowerCase()))
  .map((entry) => join(entry.parentPath, entry.name).slice(from.length + 1))
  .sort();
const display = createProgressDisplay('Converted', files.length);
const converted: Converted[] = [];
for (const file of files) {
  converted.push(await convertFile(from, into, file, syntaxes));
  display.show(converted.length);
}
display.stop();
await mkdir(into, { recursive: true });
await writeFile(join(into, 'report.csv'), `\ufeff${reportOf(converted)}`);

const fields = converted.flatMap((one) => one.fields);
const counted = (outcome: ConvertedField['outcome']) => fields.filter((field) => field.outcome === outcome).length;
const faulty = converted.filter(({ problem }) => problem !== null);
for (const { file, problem } of faulty) console.error(`${file}: ${problem}`);
console.log(
  `${files.length} files, ${counted('converted')} fields converted, ${counted('renamed')} renamed, ${counted('not_understood')} not understood, ${faulty.length} files that are no sound Liquid. ${join(into, 'report.csv')} has a line for each field.`,
);
if (counted('not_understood') > 0 || faulty.length > 0) process.exitCode = 1;
