/** Which fields a template knows, and which of those it reads it does not. */
import type { Db, Tx } from '../../db/client.ts';
import { type FieldsShape, isFieldOf, listFields } from '../../merge-fields/shape.ts';
import { nearestName } from '../check/nearest.ts';
import { allFieldLists, type FieldListRow, type FieldUsage } from './store.ts';

/** What the service adds to the data of a known recipient. */
export const recipientFields: FieldsShape = {
  type: 'object',
  properties: {
    recipient: {
      type: 'object',
      title: 'The recipient, where a known one is written to',
      properties: {
        type: { type: 'string', examples: ['client'] },
        externalId: { type: 'string', examples: ['C-2001'] },
        displayName: { type: 'string', examples: ['Jeanne D’Hérouville'] },
        attributes: { type: 'object', title: 'As they were given' },
      },
    },
  },
};

/** The fields that may be read, and those of other triggers. */
export interface KnownFields {
  shapes: readonly FieldsShape[];
  /** Nobody says what there is: only what belongs to another trigger is unknown. */
  anything: boolean;
  /** Lists of other triggers: what is theirs is no typing error. */
  others: readonly FieldListRow[];
}

/** A field that is read and not known. */
export interface UnknownField {
  path: string;
  /** The trigger whose field it is. */
  trigger: 'person' | 'activity' | null;
  suggestion: string | null;
}

const isOnPage = (list: FieldListRow, pages: readonly string[]) =>
  pages.length === 0 || list.pages.length === 0 || list.pages.some((page) => pages.includes(page));

const isAbout = (list: FieldListRow, trigger: FieldUsage['trigger']) =>
  trigger === null || list.trigger === null || list.trigger === trigger;

/** Whether a list has fields for this use: those of its trigger and of any, of one of its pages and of all. */
export const offers = (list: FieldListRow, { trigger, pages }: FieldUsage): boolean =>
  isAbout(list, trigger) && isOnPage(list, pages);

/** Whether a template is held to a list. One that says neither its trigger nor its pages is held to none. */
export const serves = (list: FieldListRow, usage: FieldUsage): boolean =>
  (usage.trigger !== null || usage.pages.length > 0) && offers(list, usage);

/**
 * What is known where a template is used: its declared fields, and those of the lists that serve it. Null where neither
 * tells anything: then nothing is unknown.
 */
export function knownFields(
  lists: readonly FieldListRow[],
  usage: FieldUsage,
  declared: FieldsShape | null,
): KnownFields | null {
  const offered = lists.filter((list) => serves(list, usage)).map(({ fields }) => fields);
  const others = lists.filter((list) => isOnPage(list, usage.pages) && !isAbout(list, usage.trigger));
  const anything = declared === null && offered.length === 0;
  if (anything && others.length === 0) return null;
  return { shapes: [...offered, ...(declared === null ? [] : [declared]), recipientFields], anything, others };
}

/** `knownFields`, with the lists of the tenant. */
export async function readKnownFields(
  db: Db | Tx,
  tenantId: string,
  usage: FieldUsage,
  declared: FieldsShape | null,
): Promise<KnownFields | null> {
  return knownFields(await allFieldLists(db, tenantId), usage, declared);
}

/** For so many a name that is near is looked for. */
const suggestionsAtMost = 100;

/** Those of the fields that are read which nothing gives, with what else is known of each use. In their order. */
export function findUnknown<Use extends { path: string }>(
  uses: readonly Use[],
  { shapes, anything, others }: KnownFields,
): (Use & UnknownField)[] {
  const absent = uses.filter(({ path }) => !shapes.some((shape) => isFieldOf(shape, path)));
  if (absent.length === 0) return [];
  const names = shapes.flatMap((shape) => [...listFields(shape)].map(({ path }) => path));
  return absent.flatMap((use, index): (Use & UnknownField)[] => {
    const other = others.find(({ fields }) => isFieldOf(fields, use.path));
    if (other !== undefined) return [{ ...use, trigger: other.trigger, suggestion: null }];
    if (anything) return [];
    return [{ ...use, trigger: null, suggestion: index < suggestionsAtMost ? nearestName(use.path, names) : null }];
  });
}
