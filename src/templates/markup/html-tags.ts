/** Tags and attributes of HTML in one pass, without a tree: time in proportion to the text, however it is nested. */
import { QuoteType, Tokenizer } from 'htmlparser2';

/** An attribute with its value as browsers read it: entities stand for their characters. */
export interface HtmlAttribute {
  /** Of its element. In lower case, as its own name. */
  element: string;
  name: string;
  value: string;
  quoted: boolean;
  offset: number;
}

/** Told in the order of the text. Names are in lower case. */
export interface HtmlReader {
  onElement?(name: string, offset: number): void;
  onAttribute?(attribute: HtmlAttribute): void;
  /** Text, entities left out, with the element whose tag was the last to open and has not ended. */
  onText?(element: string, text: string, offset: number): void;
}

const nothing = (): void => undefined;

/** Reads a whole text, whatever it is. */
export function readHtml(
  html: string,
  { onElement = nothing, onAttribute = nothing, onText = nothing }: HtmlReader,
): void {
  let element = '';
  let attribute = { name: '', value: '', offset: 0 };
  const tokenizer = new Tokenizer(
    { decodeEntities: true },
    {
      onopentagname(start, end) {
        element = html.slice(start, end).toLowerCase();
        onElement(element, start - 1);
      },
      onattribname(start, end) {
        attribute = { name: html.slice(start, end).toLowerCase(), value: '', offset: start };
      },
      onattribdata(start, end) {
        attribute.value += html.slice(start, end);
      },
      onattribentity(codepoint) {
        attribute.value += String.fromCodePoint(codepoint);
      },
      onattribend(quote) {
        const quoted = quote === QuoteType.Double || quote === QuoteType.Single;
        onAttribute({ ...attribute, element, quoted });
      },
      ontext(start, end) {
        onText(element, html.slice(start, end), start);
      },
      onclosetag() {
        element = '';
      },
      oncdata: nothing,
      oncomment: nothing,
      ondeclaration: nothing,
      onend: nothing,
      onopentagend: nothing,
      onprocessinginstruction: nothing,
      onselfclosingtag: nothing,
      ontextentity: nothing,
    },
  );
  tokenizer.write(html);
  tokenizer.end();
}
