/** HTML that is a whole by itself: it can be put anywhere between tags, and what is behind it stays what it is. */
import { Tokenizer } from 'htmlparser2';

/** Elements that format text. */
const formatting: ReadonlySet<string> = new Set(
  (
    'a abbr b big blockquote br center cite code dd del div dl dt em font h1 h2 h3 h4 h5 h6 hr i img ins li ol p pre q s ' +
    'small span strike strong sub sup table tbody td tfoot th thead tr u ul'
  ).split(' '),
);
/** They have no end. */
const empty: ReadonlySet<string> = new Set(['br', 'hr', 'img']);

/**
 * Why HTML is no such whole, in words, or null: each element formats text, is closed where it must be and in its order,
 * and nothing else is there: no comment, no declaration.
 */
export function findFragmentFault(html: string): string | null {
  const open: string[] = [];
  const faults: string[] = [];
  let tag: string | null = null;
  const other = (): void => void faults.push('has a comment or a declaration');
  const nothing = (): void => undefined;
  const tokenizer = new Tokenizer(
    { decodeEntities: false },
    {
      onopentagname(start, end) {
        tag = html.slice(start, end).toLowerCase();
        if (!formatting.has(tag)) faults.push(`${tag} does not format text`);
        else if (!empty.has(tag)) open.push(tag);
      },
      onopentagend() {
        tag = null;
      },
      onselfclosingtag() {
        // In HTML the stroke closes nothing.
        tag = null;
      },
      onclosetag(start, end) {
        const name = html.slice(start, end).toLowerCase();
        if (open.pop() !== name) faults.push(`${name} is closed where it is not open`);
      },
      oncomment: other,
      ondeclaration: other,
      onprocessinginstruction: other,
      oncdata: other,
      onattribname: nothing,
      onattribdata: nothing,
      onattribentity: nothing,
      onattribend: nothing,
      ontext: nothing,
      ontextentity: nothing,
      onend: nothing,
    },
  );
  tokenizer.write(html);
  tokenizer.end();
  if (tag !== null || /<[^>]*$/.test(html)) faults.push('ends within a tag');
  if (open.length > 0) faults.push(`${open.at(-1)} is not closed`);
  return faults[0] ?? null;
}
