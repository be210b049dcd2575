/** What messages read of the version they pin: its texts in their language. */
import { stepsOf } from '../merge-fields/path.ts';
import type { TemplateParts } from './rendering/liquid.ts';
import { unsubscribeField } from './rendering/unsubscribe-place.ts';
import type { TemplateVersionRow } from './versions.ts';

/** The part of a version that decides what a message says. */
export type VersionContent = Pick<
  TemplateVersionRow,
  'templateId' | 'version' | 'layoutVersion' | 'subject' | 'text' | 'html' | 'locales' | 'inlineImages' | 'usedFields'
>;

/** Texts of a version. `key` never means other texts. */
export interface KeyedParts {
  key: string;
  parts: TemplateParts;
}

/** The texts that serve a language tag: those of the very tag, else those of its language; null: the version's own. */
export function servingLanguage({ locales }: Pick<VersionContent, 'locales'>, tag: string): string | null {
  if (Object.hasOwn(locales, tag)) return tag;
  const [language = ''] = tag.split('-');
  return Object.hasOwn(locales, language) ? language : null;
}

/**
 * The language tag of a message: the one that is wanted, where the version has its language; else that of the
 * organisation, which the version's own texts are in.
 */
export function localeOf(version: Pick<VersionContent, 'locales'>, wanted: string | null, own: string): string {
  return wanted !== null && servingLanguage(version, wanted) !== null ? wanted : own;
}

/** The texts for a language tag. */
export function textsFor(version: VersionContent, tag: string): KeyedParts {
  const language = servingLanguage(version, tag);
  const { subject, text, html } = (language === null ? null : version.locales[language]) ?? version;
  // A draft is compiled again when its layout has changed: with another layout the same version has other texts.
  const key = `${version.templateId}/${version.version}/${version.layoutVersion ?? ''}`;
  return { key: language === null ? key : `${key}/${language}`, parts: { subject, text, html } };
}

/** The expression of the address, rendered as a subject is: one line. Null where there is none. */
export function addressParts({
  templateId,
  version,
  to,
}: Pick<TemplateVersionRow, 'templateId' | 'version' | 'to'>): KeyedParts | null {
  // Not `…/to`: that is the key of the texts in Tongan.
  return to === null ? null : { key: `${templateId}/${version}#to`, parts: { subject: to, text: '', html: '' } };
}

/** Whether a text reads what the service says of the sender, its signature above all. */
export const readsSender = ({ usedFields }: Pick<VersionContent, 'usedFields'>): boolean =>
  usedFields.some((path) => /^sender\b/.test(path));

/** Whether a text reads the link to unsubscribe. */
export const readsUnsubscribeLink = ({ usedFields }: Pick<VersionContent, 'usedFields'>): boolean =>
  usedFields.some((path) => stepsOf(path)[0] === unsubscribeField);

/** Those of the organisation's constants that a version reads: a message keeps what it was made with, and no more. */
export function constantsFor(
  { usedFields }: Pick<VersionContent, 'usedFields'>,
  constants: Readonly<Record<string, string>>,
): Record<string, string> {
  const names = Object.keys(constants);
  if (names.length === 0) return {};
  const read = new Set(usedFields.map((path) => stepsOf(path)[0]));
  return Object.fromEntries(names.flatMap((name) => (read.has(name) ? [[name, constants[name] ?? '']] : [])));
}
