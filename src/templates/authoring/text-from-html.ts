/** The text part, where only HTML was written. */
import { convert, type HtmlToTextOptions } from 'html-to-text';
import { maskMarks, unmaskMarks } from './mask.ts';

const line = { leadingLineBreaks: 1, trailingLineBreaks: 1 };

const options: HtmlToTextOptions = {
  wordwrap: false,
  limits: { maxInputLength: 1_000_000, maxDepth: 200, ellipsis: '' },
  selectors: [
    { selector: 'a', options: { linkBrackets: ['<', '>'], hideLinkHrefIfSameAsText: true } },
    { selector: 'img', format: 'skip' },
    // Tables of mails are for their looks: cells follow one another, with a blank between.
    { selector: 'table', format: 'block' },
    { selector: 'tr', format: 'block', options: line },
    ...['td + td', 'td + th', 'th + td', 'th + th'].map((selector) => {
      return { selector, format: 'inlineSurround', options: { prefix: ' ' } };
    }),
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
  ],
};

/** What escapes or breaks lines for HTML has no business in a text. */
const htmlFilters = /\s*\|\s*(?:escape_once|escape|newline_to_br)\b(?!\s*:)/g;

/**
 * Lines that have tags only lose their line ends: they would be empty once the tags have done their work. As many stay as
 * there are between what is before and what is behind.
 */
function withoutTagLines(text: string, isTag: (place: number) => boolean, word: RegExp): string {
  const one = word.source.replace('(\\d+)', '\\d+');
  const tagLines = new RegExp(`(^|\\n+)[ \\t]*(${one}(?:\\s*${one})*)[ \\t]*(\\n+|$)`, 'gi');
  return text.replace(tagLines, (whole, before: string, words: string, behind: string) => {
    const places = [...words.matchAll(word)].map(([, place]) => Number(place));
    return places.every(isTag) ? before + words.replace(/\s/g, '') + behind.slice(before.length) : whole;
  });
}

/** Behind a link whose words are its address it is not said again: masked, two marks that say the same are different. */
function withoutRepeatedLinks(text: string): string {
  return text.replace(/ <([^<>\n]*\{\{[^<>\n]*)>/g, (whole, link: string, offset: number) =>
    text.startsWith(link, offset - link.length) ? '' : whole,
  );
}

/**
 * Plain text that says what the HTML says: paragraphs, lists with a star, links with their address behind them, images left
 * out. Liquid's marks stay, without the filters that are for HTML. A line that has tags only goes: it would leave an
 * empty one in each round of a loop.
 */
export function textFromHtml(html: string): string {
  const masked = maskMarks(html);
  const { marks, word } = masked;
  const isTag = (place: number) => marks[place]?.startsWith('{%') ?? false;
  const text = withoutTagLines(convert(masked.text, options), isTag, word);
  const unmasked = unmaskMarks(text, masked, 'some', (mark) =>
    mark.startsWith('{{') ? mark.replace(htmlFilters, '') : mark,
  );
  return withoutRepeatedLinks(unmasked).trim();
}
