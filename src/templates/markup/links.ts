/**
 * Links in HTML. Values are escaped, so they never become markup; but a value that stands at the beginning of a link
 * also decides what kind of link it is, and `javascript:` has nothing to escape.
 */
import { readHtml } from './html-tags.ts';
import { outputCharacter, withMarksAs } from './marks.ts';

const linkAttributes: ReadonlySet<string> = new Set([
  'action',
  'background',
  'cite',
  'formaction',
  'href',
  'poster',
  'src',
  'xlink:href',
]);

/** Whether the value of this attribute is an address that is opened or loaded. */
export const isLinkAttribute = (name: string): boolean => linkAttributes.has(name);

const allowedSchemes = new Set(['http', 'https', 'mailto', 'tel', 'sms', 'cid']);

/** A link as browsers read it (WHATWG URL): controls and blanks before a scheme, tabs and line ends within, are not there. */
const readLink = (link: string) => link.replace(/[\u0000-\u0020\u007f-\u00a0]/g, '');

/** Whether a link may stand in a mail: a relative one, one of a few schemes, or an image written out. */
export function isAllowedLink(link: string): boolean {
  const read = readLink(link);
  const scheme = /^([a-z][a-z\d+.-]*):/i.exec(read)?.[1]?.toLowerCase();
  if (scheme === undefined || allowedSchemes.has(scheme)) return true;
  return scheme === 'data' && /^data:image\/(?:png|jpe?g|gif|webp)[;,]/i.test(read);
}

/** Whether a field, marked by {@link outputCharacter}, stands where it can still change the scheme of a link. */
export function isLedByField(markedLink: string): boolean {
  const [before = '', ...behind] = readLink(markedLink).split(outputCharacter);
  return behind.length > 0 && !/[:/?#]/.test(before);
}

/** The links of a template: whether any is led by a field, and those that its author wrote out. */
export interface WrittenLinks {
  ledByField: boolean;
  whole: ReadonlySet<string>;
}

/** Reads them from the source. Every mark counts as a field: a tag may have one inside. */
export function readWrittenLinks(source: string): WrittenLinks {
  const whole = new Set<string>();
  let ledByField = false;
  const marked = source.replaceAll(outputCharacter, ' ');
  readHtml(withMarksAs(marked, { output: outputCharacter, tag: outputCharacter }), {
    onAttribute({ name, value }) {
      // With tags around it the name has marks, too: `<a {% if x %}href="…"`.
      if (!isLinkAttribute(name.slice(name.lastIndexOf(outputCharacter) + 1))) return;
      if (value.includes(outputCharacter)) ledByField ||= isLedByField(value);
      else whole.add(value);
    },
  });
  return { ledByField, whole };
}

/** Whether every link of what was rendered may stand in a mail, or was written out by the template's author. */
export function hasAllowedLinksOnly(html: string, { whole }: WrittenLinks): boolean {
  let allowed = true;
  readHtml(html, {
    onAttribute({ name, value }) {
      if (isLinkAttribute(name) && !isAllowedLink(value) && !whole.has(value)) allowed = false;
    },
  });
  return allowed;
}
