/** Markup that mail programs refuse or strip, or that can do harm where they do not. */
import { type HtmlAttribute, readHtml } from '../markup/html-tags.ts';
import { isAllowedLink, isLedByField, isLinkAttribute } from '../markup/links.ts';
import { outputCharacter, withOutputsMarked } from '../markup/marks.ts';

/** What is risky, and where. */
export interface RiskyMarkup {
  code: 'risky_element' | 'risky_attribute' | 'risky_link' | 'field_in_code' | 'field_as_link';
  offset: number;
  text: string;
}

/** Programs, frames, forms and what changes the rest of the page. */
const riskyElements = new Set([
  'applet',
  'audio',
  'base',
  'button',
  'embed',
  'form',
  'frame',
  'frameset',
  'iframe',
  'input',
  'link',
  'math',
  'object',
  'script',
  'select',
  'svg',
  'textarea',
  'video',
]);

function judgeAttribute({ element, name, value }: HtmlAttribute): RiskyMarkup['code'] | null {
  const hasField = value.includes(outputCharacter);
  if (name.startsWith('on') || name === 'srcdoc') return hasField ? 'field_in_code' : 'risky_attribute';
  if (name === 'style') return hasField ? 'field_in_code' : null;
  if (element === 'meta' && name === 'http-equiv' && value.toLowerCase() === 'refresh') return 'risky_attribute';
  if (!isLinkAttribute(name)) return null;
  if (isLedByField(value)) return 'field_as_link';
  return isAllowedLink(value) ? null : 'risky_link';
}

/** Reads the HTML of a template, in the order of its text. */
export function findRiskyMarkup(source: string): RiskyMarkup[] {
  const found: RiskyMarkup[] = [];
  readHtml(withOutputsMarked(source), {
    onElement(name, offset) {
      if (riskyElements.has(name)) found.push({ code: 'risky_element', offset, text: name });
    },
    onAttribute(attribute) {
      const code = judgeAttribute(attribute);
      const { element, name, offset } = attribute;
      if (code !== null) found.push({ code, offset, text: `${element} ${name}` });
    },
    onText(element, text, offset) {
      if ((element === 'style' || element === 'script') && text.includes(outputCharacter)) {
        found.push({ code: 'field_in_code', offset, text: element });
      }
    },
  });
  return found;
}
