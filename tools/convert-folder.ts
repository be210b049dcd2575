/**
 * `npm run convert -- <folder> [--into <folder>] [--syntax dollar]`: turns the texts of a folder, in the syntax of an older
 * application, into Liquid, and checks what comes of them. The texts themselves are left as they are.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { findTextFaults } from '../src/templates/check/text-faults.ts';
import {
  type ConvertedField,
  convertOldFields,
  type OldSyntax,
  oldSyntaxes,
} from '../src/templates/convert/convert.ts';
import { findFieldsInMarkup } from '../src/templates/markup/fields-in-markup.ts';
import { findParseProblem } from '../src/templates/rendering/liquid.ts';
import { createProgressDisplay } from './progress.ts';

const usage = `npm run convert -- <folder> [--into <folder>] [--syntax ${oldSyntaxes.join('|')}]…`;
const htmlEndings = new Set(['.html', '.htm']);
const endings = new Set([...htmlEndings, '.txt']);

/** What was done with one file. */
interface Converted {
  file: string;
  fields: ConvertedField[];
  findings: Finding[];
}

/** What is wrong with a converted text. Codes are those of checks of the API, and of refused versions. */
interface Finding {
  code: string;
  line: number | null;
  text: string;
}

/** With these a text cannot be saved; the others are to be looked at. */
const refusals = new Set(['template_invalid', 'field_in_markup']);

/** UTF-8, or what Windows wrote before it: old texts are in both. */
function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

function checkText(html: boolean, source: string): Finding[] {
  const place = html ? 'html' : 'text';
  const problem = findParseProblem(place, html, source);
  if (problem !== null) return [{ code: 'template_invalid', line: problem.line, text: problem.message }];
  const inMarkup = (html ? findFieldsInMarkup(source) : []).map(({ line, message }) => {
    return { code: 'field_in_markup', line, text: message };
  });
  const faults = findTextFaults([{ place, html, source }]).map(({ code, line, text }) => ({ code, line, text }));
  return [...inMarkup, ...faults];
}

async function convertFile(
  from: string,
  into: string,
  file: string,
  syntaxes: readonly OldSyntax[],
): Promise<Converted> {
  const html = htmlEndings.has(extname(file).toLowerCase());
  const { text, fields } = convertOldFields(decode(await readFile(join(from, file))), { html, syntaxes });
  const target = join(into, file);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, text);
  return { file, fields, findings: checkText(html, text) };
}

/** What a spreadsheet would take for a formula (`+33 6 …`, `=…`) is a text for it behind an apostrophe. */
const quoted = (value: string | number) =>
  `"${String(value)
    .replace(/^[=+\-@\t\r]/, "'$&")
    .replaceAll('"', '""')}"`;

/** A line for each field and each finding, as spreadsheets read it. */
function reportOf(converted: readonly Converted[]): string {
  const lines = converted.flatMap(({ file, fields, findings }) => [
    ...fields.map(({ line, field, liquid, outcome, count }) => [file, line, field, liquid ?? '', outcome, count]),
    ...findings.map(({ code, line, text }) => [file, line ?? '', text, '', code, 1]),
  ]);
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
const display = createProgressDisplay('Converted and checked', files.length);
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
const findings = converted.flatMap(({ file, findings: own }) => own.map((finding) => ({ file, ...finding })));
const refused = findings.filter(({ code }) => refusals.has(code));
for (const { file, line, text } of refused) console.error(`${file}: line ${line}: ${text}`);
const unsound = new Set(refused.map(({ file }) => file)).size;
console.log(
  `${files.length} files, ${counted('converted')} fields converted, ${counted('renamed')} renamed, ${counted('not_understood')} not understood, ${unsound} files that are no sound Liquid, ${findings.length - refused.length} places to look at. ${join(into, 'report.csv')} has a line for each.`,
);
if (counted('not_understood') > 0 || unsound > 0) process.exitCode = 1;
