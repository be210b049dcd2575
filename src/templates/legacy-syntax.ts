/**
 * The field syntax of older mail-merge tools: `{Adr_Nom}`.
 */

const FIELD = /\{([A-Za-z][A-Za-z0-9_]*)\}/y;

/**
 * Turns `{Adr_Nom}` into `{{ Adr_Nom }}`, for use once, when a text is imported.
 *
 * Only an identifier directly between single braces is a field: the braces of CSS (`{ color: red }`,
 * `{color:red}`) and what is already Liquid (`{{ x }}`, `{{x}}`, `{% if x %}`) stay as they are.
 * `fields` are the converted names, each once, in the order they first appear. Linear in the length.
 */
export function convertBraceFields(text: string): { text: string; fields: string[] } {
  const fields = new Set<string>();
  let converted = '';
  let copiedUpTo = 0;
  let at = text.indexOf('{');
  // Where the text has no further closing delimiter, searching it again from every brace would be quadratic.
  const closed: Record<string, boolean> = { '}}': true, '%}': true };
  while (at >= 0) {
    const closing = text[at + 1] === '{' ? '}}' : text[at + 1] === '%' ? '%}' : null;
    if (closing !== null && closed[closing]) {
      const end = text.indexOf(closing, at + 2);
      if (end >= 0) {
        at = text.indexOf('{', end + 2);
        continue;
      }
      closed[closing] = false;
    }
    FIELD.lastIndex = at;
    const name = FIELD.exec(text)?.[1];
    const alone = name !== undefined && text[at - 1] !== '{' && text[at + name.length + 2] !== '}';
    if (name !== undefined && alone) {
      fields.add(name);
      converted += `${text.slice(copiedUpTo, at)}{{ ${name} }}`;
      copiedUpTo = at + name.length + 2;
    }
    at = text.indexOf('{', at + 1);
  }
  return { text: converted + text.slice(copiedUpTo), fields: [...fields] };
}
