/** The texts of `demo/templates/`, brought into the service as its README says. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Api, addTemplate, done } from './broker.ts';
import { uploadFile } from './documents.ts';

const folder = fileURLToPath(new URL('../../demo/templates/', import.meta.url));

const sectionNames = ['header', 'body', 'list', 'information', 'signature'] as const;

/** A template of an older application: its texts are in the old syntax. */
export interface DemoTemplate {
  /** The folder it is in: `apogee`, `jungo2`, `mutualit`, `winpass`. */
  system: string;
  key: string;
  /** What `POST /v1/templates` takes beside key and channel. */
  about: { title: string } & Record<string, unknown>;
  /** Key of the layout of its sections; null: it has none. */
  layout: string | null;
  /** By what `POST /v1/templates/{id}/versions` calls them. */
  texts: { subject: string; to?: string; text?: string; html?: string };
  sections: Partial<Record<(typeof sectionNames)[number], string>>;
  /** The data of a message. */
  sample: Record<string, unknown>;
}

const readJson = (place: string) => JSON.parse(readFileSync(folder + place, 'utf8'));

/** The texts that are there; the line end of a file is none of its text. */
function readTexts<Name extends string>(
  place: string,
  names: readonly (readonly [Name, string])[],
): Partial<Record<Name, string>> {
  const there = names.filter(([, file]) => existsSync(`${folder}${place}/${file}`));
  return Object.fromEntries(
    there.map(([name, file]) => [name, readFileSync(`${folder}${place}/${file}`, 'utf8').replace(/\n$/, '')]),
  ) as Partial<Record<Name, string>>;
}

/** One template of a system. */
export function readDemoTemplate(system: string, key: string): DemoTemplate {
  const place = `${system}/${key}`;
  const { layout = null, ...about } = readJson(`${place}/template.json`);
  const { subject = '', ...texts } = readTexts(place, [
    ['subject', 'subject.txt'],
    ['to', 'to.txt'],
    ['text', 'message.txt'],
    ['html', 'message.html'],
  ]);
  const sections = readTexts(
    `${place}/sections`,
    sectionNames.map((name) => [name, `${name}.html`] as const),
  );
  return {
    system,
    key,
    about,
    layout,
    texts: { subject, ...texts },
    sections,
    sample: readJson(`${place}/sample.json`),
  };
}

/** All of them, by system and key. */
export function readDemoTemplates(): DemoTemplate[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return files.flatMap((file) => {
    const [, system, key] = /^([^/]+)\/([^/]+)\/template\.json$/.exec(file) ?? [];
    return system === undefined || key === undefined ? [] : [readDemoTemplate(system, key)];
  });
}

/** A field, as `POST /v1/templates/convert` tells of it. */
export interface ConversionLine {
  field: string;
  liquid: string | null;
  outcome: string;
}

/** The body of a version, and what became of each field. */
export interface ConvertedTemplate {
  version: Record<string, unknown>;
  fields: ConversionLine[];
}

/** Turns the texts into Liquid. @throws Error for a text that is no sound Liquid then. */
export async function convertDemoTemplate(
  api: Api,
  { layout, texts, sections }: DemoTemplate,
): Promise<ConvertedTemplate> {
  const fields: ConversionLine[] = [];
  const convert = async (part: 'subject' | 'text' | 'html', source: string): Promise<string> => {
    const answer = await done(api.inject('POST', '/v1/templates/convert', { body: { [part]: source } }));
    if (answer.problems.length > 0) throw new Error(JSON.stringify(answer.problems));
    fields.push(...answer.fields);
    return answer[part];
  };
  const converted: Record<string, string> = {};
  for (const [name, source] of Object.entries(texts)) {
    converted[name] = await convert(name === 'html' || name === 'text' ? name : 'subject', source);
  }
  if (layout === null) return { version: converted, fields };
  const filled: Record<string, string> = {};
  for (const [name, source] of Object.entries(sections)) filled[name] = await convert('html', source);
  return { version: { ...converted, sections: filled, layoutId: layout }, fields };
}

/** The institution's logo. */
export const demoLogo = () => ({
  filename: 'logo.png',
  mediaType: 'image/png',
  content: readFileSync(`${folder}apogee/logo.png`),
});

/** The addresses that Apogée's texts name in brackets (A8). */
export const apogeeConstants = {
  URL_PJ_WEB: 'https://pieces.universite-estuaire.example/depot',
  URL_PAIEMENT_WEB: 'https://paiement.universite-estuaire.example',
  URL_IP_WEB: 'https://ip.universite-estuaire.example',
  URL_NOTES_WEB: 'https://notes.universite-estuaire.example',
};

/** The office of Apogée: its constants, and its layouts with the logo. @returns the paths of the layouts. */
export async function addApogeeOffice(api: Api): Promise<{ etudiants: string; enseignants: string }> {
  const { headers } = await api.inject('GET', '/v1/tenant');
  const own = { body: { constants: apogeeConstants }, headers: { 'if-match': String(headers.etag) } };
  await done(api.inject('PATCH', '/v1/tenant', own));
  const logo = await uploadFile(api, demoLogo());
  const add = async (key: string) => {
    const body = { key, logo, ...readJson(`apogee/layouts/${key}.json`) };
    return `/v1/layouts/${(await done(api.inject('POST', '/v1/layouts', { body }))).id}`;
  };
  return { etudiants: await add('etudiants'), enseignants: await add('enseignants') };
}

/** Converts, saves and publishes a template. @returns its path. */
export async function addDemoTemplate(api: Api, template: DemoTemplate): Promise<string> {
  const { version } = await convertDemoTemplate(api, template);
  return `/v1/templates/${await addTemplate(api, { key: template.key, ...template.about }, version)}`;
}
