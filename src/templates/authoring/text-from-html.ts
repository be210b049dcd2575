/** The text part, where only HTML was written. */
import { convert, type HtmlToTextOptions } from 'html-to-text';
import { findParseProblem } from '../rendering/liquid.ts';
import { type MaskedText, maskMarks, unmaskMarks } from './mask.ts';

const line = { leadingLineBreaks: 1, trailingLineBreaks: 1 };

const options: HtmlToTextOptions = {
  wordwrap: false,
  // The whole of it: what stands before or behind the body may decide what is in it.
  baseElements: { selectors: [], returnDomByDefault: true },
  selectors: [
    { selector: 'a', options: { linkBrackets: ['<', '>'], hideLinkHrefIfSameAsText: true } },
    ...['img', 'style', 'title', 'script'].map((selector) => ({ selector, format: 'skip' })),
    // Tables of mails are for their looks: cells follow one another, with a blank between.
    { selector: 'table', format: 'block' },
    { selector: 'tr', format: 'block', options: line },
    ...['td + td', 'td + th', 'th + td', 'th + th'].map((selector) => {
      return { selector, format: 'inlineSurround', options: { prefix: ' ' } };
    }),
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
  ],
};

/** In a loop each member would be the first. */
const withoutNumbers: HtmlToTextOptions = {
  ...options,
  selectors: [...(options.selectors ?? []), { selector: 'ol', format: 'unorderedList' }],
};

/** What escapes or breaks lines for HTML has no business in a text. */
function withoutHtmlFilters(mark: string): string {
  if (!mark.startsWith('{{')) return mark;
  const plain = mark.replace(/\|\s*(?:escape_once|escape|newline_to_br)\b(?!\s*:)/g, '');
  return plain === mark ? mark : `${plain.slice(0, -2).trimEnd()} }}`;
}

/** Braces that HTML wrote as entities: a mark they must not become. */
const withoutNewMarks = (text: string) => text.replace(/\{(?=[{%])/g, '{{ "{" }}');

const isTag = (mark: string | undefined) => mark?.startsWith('{%') ?? false;

/** Tags that change what later ones do, wherever they stand. */
const hasEffect = (mark: string) => /^\{%-?\s*(?:assign|capture|increment|decrement|cycle|liquid|echo)\b/.test(mark);

/**
 * Tags inside one HTML tag decide attributes only, where they are whole by themselves: these may be lost with it. Every
 * other tag must be there, once and in its order, or the text says what the HTML does not.
 */
function mustStay({ text, marks, word }: MaskedText): Set<number> {
  const stay = new Set(marks.flatMap((mark, place) => (isTag(mark) ? [place] : [])));
  for (const [element] of text.matchAll(/<[a-z][^>]*>/gi)) {
    const places = [...element.matchAll(word)].map(([, place]) => Number(place)).filter((place) => stay.has(place));
    const inside = places.map((place) => marks[place] ?? '');
    if (inside.some(hasEffect) || findParseProblem('', false, inside.join('')) !== null) continue;
    for (const place of places) stay.delete(place);
  }
  return stay;
}

/** @throws Error when a tag that decides what is said is not where it was. */
function checkTags(converted: string, masked: MaskedText): void {
  const stay = mustStay(masked);
  const found = [...converted.matchAll(masked.word)]
    .map(([, place]) => Number(place))
    .filter((place) => stay.has(place));
  const kept = found.length === stay.size && [...stay].every((place, index) => found[index] === place);
  if (!kept) throw new Error('a tag of Liquid stands where the text cannot have it: write the text, too');
}

/**
 * Lines that have tags only lose their line ends: they would be empty once the tags have done their work. As many stay as
 * there are between what is before and what is behind.
 */
function withoutTagLines(text: string, { tagWord: tag }: MaskedText): string {
  const tagLines = new RegExp(`(^|(?<!\\n)\\n+)[ \\t]*(${tag}(?:\\s*${tag})*)[ \\t]*(\\n+|$)`, 'gi');
  return text.replace(tagLines, (_, before: string, words: string, behind: string, offset: number) => {
    return before + words.replace(/\s/g, '') + behind.slice(offset === 0 ? behind.length : before.length);
  });
}

/** Behind a link whose words are its address it is not said again: masked, two marks that say the same are different. */
function withoutRepeatedLinks(text: string): string {
  return text.replace(/ <([^<>\n]*\{\{[^<>\n]*)>/g, (whole, link: string, offset: number) =>
    text.startsWith(link, offset - link.length) ? '' : whole,
  );
}

/**
 * Plain text that says what the HTML says: paragraphs, lists, links with their address behind them, images left out.
 * Liquid's marks stay, without the filters that are for HTML. A line that has tags only goes: it would leave an empty one
 * in each round of a loop.
 * @throws Error where a condition would be lost, or the HTML is nested too deep to be read.
 */
export function textFromHtml(html: string): string {
  const masked = maskMarks(html);
  const looped = masked.marks.some((mark) => /^\{%-?\s*for\b/.test(mark));
  const converted = convert(masked.text, looped ? withoutNumbers : options);
  checkTags(converted, masked);
  const text = withoutNewMarks(withoutTagLines(converted, masked));
  return withoutRepeatedLinks(unmaskMarks(text, masked, 'some', withoutHtmlFilters)).trim();
}
