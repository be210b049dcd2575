/** The frame of a mail: what stands around its sections (A8). */
import type { WrittenSections } from '../../db/tables/templates.ts';

/** The sections a text may have, in their order. */
export const sectionNames = [
  'header',
  'body',
  'list',
  'information',
  'signature',
] as const satisfies readonly (keyof WrittenSections)[];

/** What of a layout is in the mail. */
export interface Frame {
  /** Content id of the picture; null: none. */
  logo: string | null;
  logoText: string;
  academicYear: string | null;
  /** Liquid. */
  identity: string | null;
  css: string | null;
  /** With places such as `{{ slot.header }}`; null: the service's own. */
  html: string | null;
}

/** The places that a frame may have. */
const slots = ['logo', 'academicYear', 'identity', ...sectionNames] as const;
type Slot = (typeof slots)[number];

const slotMark = /\{\{-?\s*slot\.([A-Za-z]+)\s*-?\}\}/g;

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '{': '&#123;',
  '}': '&#125;',
};
const escaped = (text: string) => text.replace(/[&<>"{}]/g, (character) => escapes[character] ?? character);

// What stands on the elements wins over a sheet, but for `!important`.
const ownCss = `
body { margin: 0; padding: 0; background-color: #f4f4f4; }
.mail { max-width: 592px; margin: 0 auto; padding: 24px; background-color: #ffffff; color: #1e1e1e; font-family: Arial, Helvetica, sans-serif; font-size: 15px; line-height: 1.5; word-wrap: break-word; overflow-wrap: anywhere; }
.masthead { width: 100%; border-bottom: 2px solid #1e3a5f; }
td { font-family: Arial, Helvetica, sans-serif; }
.masthead td { padding: 0 0 12px 0; vertical-align: middle; }
.masthead .year { padding-left: 16px; text-align: right; font-size: 13px; color: #4a4a4a; }
h1, h2, h3 { margin: 0 0 8px 0; font-size: 17px; line-height: 1.3; color: #1e3a5f; }
p { margin: 0 0 12px 0; }
ul, ol { margin: 0 0 16px 0; padding: 0 0 0 24px; }
li { margin: 0 0 6px 0; }
.box { width: 100%; margin: 16px 0; }
.identity { padding: 12px 16px; background-color: #eef2f7; font-size: 14px; }
.list { padding: 0 0 0 16px; font-size: 15px; border-left: 4px solid #1e3a5f; }
.list > :last-child { margin-bottom: 0; }
.header, .body { margin: 16px 0 0 0; }
.information { margin: 16px 0 0 0; font-size: 14px; color: #3a3a3a; }
.signature { margin: 16px 0 0 0; padding: 16px 0 0 0; border-top: 1px solid #c8c8c8; font-size: 14px; }
a { color: #1e3a5f; }
img { border: 0; max-width: 100%; }
@media only screen and (max-width: 480px) { .mail { padding: 16px !important; } }
`;

/** Outlook knows no greatest width, and pads cells only. */
const outlookBefore =
  '<!--[if mso]><table role="presentation" width="640" align="center" cellpadding="0" cellspacing="0"><tr><td style="padding: 24px;"><![endif]-->';
const outlookBehind = '<!--[if mso]></td></tr></table><![endif]-->';

const table = (name: string, cells: string) =>
  `<table class="${name}" role="presentation" border="0" cellpadding="0" cellspacing="0"><tr>${cells}</tr></table>\n`;

/** These two have an edge that the text must not touch, in Outlook either. */
const boxed: ReadonlySet<Slot> = new Set(['identity', 'list']);

const yearLabel = (language: string) => (/^fr\b/.test(language) ? 'Année universitaire' : 'Academic year');

function contentOf({ logo, logoText, academicYear, identity }: Frame, sections: WrittenSections, language: string) {
  const image = `<img class="logo" src="cid:${logo}" alt="${escaped(logoText)}" style="display: block; max-height: 80px;">`;
  const content: Partial<Record<Slot, string>> = { ...sections };
  if (logo !== null) content.logo = image;
  if (academicYear !== null) content.academicYear = `${yearLabel(language)} ${escaped(academicYear)}`;
  if (identity !== null) content.identity = identity;
  return content;
}

function ownFrame(content: Partial<Record<Slot, string>>, { logoText, css }: Frame, language: string): string {
  const cells = [
    content.logo === undefined ? '' : `<td>${content.logo}</td>`,
    content.academicYear === undefined ? '' : `<td class="year">${content.academicYear}</td>`,
  ].join('');
  const masthead = cells === '' ? '' : table('masthead', cells);
  const blocks = (['identity', ...sectionNames] as const).flatMap((name) => {
    if (content[name] === undefined) return [];
    if (boxed.has(name)) return [table('box', `<td class="${name}">${content[name]}</td>`)];
    return [`<div class="${name}">${content[name]}</div>\n`];
  });
  const tag = escaped(language);
  const title = logoText === '' ? '' : `<title>${escaped(logoText)}</title>\n`;
  // Webmail takes the first two elements away: who reads aloud learns the language from the third.
  return `<!doctype html>
<html lang="${tag}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${title}<style>${ownCss}${css ?? ''}</style>
</head>
<body>
${outlookBefore}
<div class="mail" role="article" aria-roledescription="email" lang="${tag}">
${masthead}${blocks.join('')}</div>
${outlookBehind}
</body>
</html>
`;
}

/** At the end of the head; without one behind what must come first. */
function placeOfStyle(html: string): number {
  const head = /<\/head>/i.exec(html);
  if (head !== null) return head.index;
  const first = /^\s*(?:<!doctype[^>]*>\s*)?(?:<html[^>]*>)?/i.exec(html);
  return first?.[0].length ?? 0;
}

/** Slots of a frame that are none. Empty: it is sound. */
export function unknownSlots(html: string): string[] {
  const names: readonly string[] = slots;
  return [...html.matchAll(slotMark)].flatMap(([, name = '']) => (names.includes(name) ? [] : [name]));
}

/**
 * The whole HTML of a mail, still with Liquid's marks and its style sheet. Sections that were not written leave nothing.
 * @returns `unplaced`: sections that the frame has no place for; they would be lost.
 */
export function fillFrame(
  frame: Frame,
  sections: WrittenSections,
  language: string,
): { kind: 'filled'; html: string } | { kind: 'unplaced'; missing: string[] } {
  const content = contentOf(frame, sections, language);
  if (frame.html === null) return { kind: 'filled', html: ownFrame(content, frame, language) };
  const places = new Set([...frame.html.matchAll(slotMark)].map(([, name]) => name));
  const missing = sectionNames.filter((name) => sections[name] !== undefined && !places.has(name));
  if (missing.length > 0) return { kind: 'unplaced', missing };
  const style = frame.css === null ? '' : `<style>${frame.css}</style>`;
  const at = placeOfStyle(frame.html);
  const styled = frame.html.slice(0, at) + style + frame.html.slice(at);
  return { kind: 'filled', html: styled.replace(slotMark, (_, name: Slot) => content[name] ?? '') };
}
