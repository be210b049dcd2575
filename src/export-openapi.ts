import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openapiDocument } from './http/document.ts';

const file = fileURLToPath(new URL('../openapi/openapi.json', import.meta.url));

/** Writes `openapi/openapi.json` from the route schemas; with `--stdout`, prints it instead. */
const text = `${JSON.stringify(await openapiDocument(), null, 2)}\n`;
if (process.argv.includes('--stdout')) process.stdout.write(text);
else {
  await mkdir(new URL('../openapi/', import.meta.url), { recursive: true });
  await writeFile(file, text);
  console.log(file);
}
