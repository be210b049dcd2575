/** What is written between the marks of an old field: a path, and the format of a date. */

/** A field as templates of this service name it. */
export interface FieldPath {
  /** e.g. `personne.personne_nom`, `participant.personne.personne_nom`. */
  path: string;
  /** PHP's letters; null: the value as it is. */
  dateFormat: string | null;
  /** Whether the name is another one than before, so that who gives the data must know. */
  renamed: boolean;
}

/** Fields of one participant of a group action: `tableN.`, `table1.`, `tab.` (J2). */
const perParticipant = /^(?:tab|table(?:N|\d{1,3}))\./;
const segment = /^[\p{L}_][\p{L}\p{N}_]*(?:[ '’-][\p{L}\p{N}_]+)*$/u;
const longestName = 200;

/** Words that the template language reads as something else. */
const reserved = new Set(['true', 'false', 'nil', 'null', 'empty', 'blank', 'and', 'or', 'not', 'contains', 'forloop']);

/** The name of one segment: letters without accents, digits and underscores. */
function nameOf(written: string): string {
  const plain = written
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/œ/g, 'oe')
    .replace(/Œ/g, 'OE')
    .replace(/[^A-Za-z0-9_]/g, '_');
  return reserved.has(plain) ? `${plain}_` : plain;
}

/**
 * Reads a field's inside: `personne/personne_nom`, `tableN.personne/personne_nom`, `action_date# l j F Y à H:i`.
 * @returns null when it is no field: an expression, a number, an empty segment.
 */
export function readFieldPath(inside: string): FieldPath | null {
  const hash = inside.indexOf('#');
  const written = (hash === -1 ? inside : inside.slice(0, hash)).trim();
  const format = hash === -1 ? '' : inside.slice(hash + 1).trim();
  if (written.length > longestName) return null;
  const ofParticipant = perParticipant.test(written);
  const segments = written
    .replace(perParticipant, '')
    .split(/[/.]/)
    .map((part) => part.trim());
  if (!segments.every((part) => segment.test(part))) return null;
  const names = segments.map(nameOf);
  return {
    path: [...(ofParticipant ? ['participant'] : []), ...names].join('.'),
    dateFormat: format === '' ? null : format,
    renamed: ofParticipant || names.some((name, index) => name !== segments[index]),
  };
}

/** The field in Liquid, whose texts know the backslash as PHP's dates do. */
export function liquidOf({ path, dateFormat }: FieldPath): string {
  if (dateFormat === null) return `{{ ${path} }}`;
  return `{{ ${path} | php_date: '${dateFormat.replace(/[\\']/g, '\\$&')}' }}`;
}
