/** Which fields a template knows, and which of those it reads it does not. */
import type { Db, Tx } from '../../db/client.ts';
import { type FieldsShape, isFieldOf, listFields } from '../../merge-fields/shape.ts';
import { nearestName } from '../check/nearest.ts';
import { sampleUnsubscribeUrl, unsubscribeField } from '../rendering/unsubscribe-place.ts';
import { allFieldSources, type FieldSource, type FieldUsage } from './store.ts';

/** What the service adds to the data. */
export const serviceFields: FieldsShape = {
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
    sender: {
      type: 'object',
      title: 'The sender of the message',
      properties: {
        name: { type: 'string', examples: ['Service gestion'] },
        address: { type: 'string', examples: ['gestion@courtage-dupont.example'] },
        signature: { type: 'string', title: 'As it was formatted' },
      },
    },
    [unsubscribeField]: {
      type: 'string',
      format: 'uri',
      title: 'Where this recipient unsubscribes',
      examples: [sampleUnsubscribeUrl],
    },
  },
};

/** The fields that may be read, and those of other triggers. */
export interface KnownFields {
  shapes: readonly FieldsShape[];
  /** Nobody says what there is: only what belongs to another trigger is unknown. */
  anything: boolean;
  /** Sources of other triggers: what is theirs is no typing error. */
  others: readonly FieldSource[];
}

/** A field that is read and not known. */
export interface UnknownField {
  path: string;
  /** The trigger whose field it is. */
  trigger: 'person' | 'activity' | null;
  suggestion: string | null;
}

type Place = Pick<FieldSource, 'trigger' | 'pages'>;

const isOnPage = (source: Place, pages: readonly string[]) =>
  pages.length === 0 || source.pages.length === 0 || source.pages.some((page) => pages.includes(page));

const isAbout = (source: Place, trigger: FieldUsage['trigger']) =>
  trigger === null || source.trigger === null || source.trigger === trigger;

/** Whether a source has fields for this use: those of its trigger and of any, of one of its pages and of all. */
export const offers = (source: Place, { trigger, pages }: Pick<FieldUsage, 'trigger' | 'pages'>): boolean =>
  isAbout(source, trigger) && isOnPage(source, pages);

const saysNothing = ({ trigger, pages }: Place) => trigger === null && pages.length === 0;

/**
 * Whether a template is held to a source. One that says neither its trigger nor its pages is held to no list. Of
 * extractions the one that it names serves it, no other; where it names none, those that say their trigger or pages do as
 * lists do, because a send request may name them.
 */
export function serves(source: Pick<FieldSource, 'kind' | 'id' | 'trigger' | 'pages'>, usage: FieldUsage): boolean {
  // They are there for all, and hold nobody.
  if (source.kind === 'constants') return false;
  if (source.kind === 'extraction') {
    if (usage.extractionId !== null) return source.id === usage.extractionId;
    if (saysNothing(source)) return false;
  }
  return !saysNothing(usage) && offers(source, usage);
}

/**
 * What is known where a template is used: its declared fields, and those of the sources that serve it. Null where none
 * tells anything, or its extraction does not say what it gives: then nothing is unknown.
 */
export function knownFields(
  sources: readonly FieldSource[],
  usage: FieldUsage,
  declared: FieldsShape | null,
): KnownFields | null {
  const serving = sources.filter((source) => serves(source, usage));
  const shapesOf = (givers: readonly FieldSource[]) => givers.flatMap(({ fields }) => fields ?? []);
  const offered = shapesOf(serving);
  const constants = shapesOf(sources.filter(({ kind }) => kind === 'constants'));
  const others = sources.filter(
    (source) => !serving.includes(source) && isOnPage(source, usage.pages) && !isAbout(source, usage.trigger),
  );
  const silent = serving.some(({ id, fields }) => id === usage.extractionId && fields === null);
  const anything = silent || (declared === null && offered.length === 0);
  if (anything && others.length === 0) return null;
  return {
    shapes: [...offered, ...constants, ...(declared === null ? [] : [declared]), serviceFields],
    anything,
    others,
  };
}

/** `knownFields`, with what gives fields in the tenant. */
export async function readKnownFields(
  db: Db | Tx,
  tenantId: string,
  usage: FieldUsage,
  declared: FieldsShape | null,
): Promise<KnownFields | null> {
  return knownFields(await allFieldSources(db, tenantId), usage, declared);
}

/** For so many a name that is near is looked for. */
const suggestionsAtMost = 30;

/** Those of the fields that are read which nothing gives, with what else is known of each use. In their order. */
export function findUnknown<Use extends { path: string }>(
  uses: readonly Use[],
  { shapes, anything, others }: KnownFields,
): (Use & UnknownField)[] {
  const absent = uses.filter(({ path }) => !shapes.some((shape) => isFieldOf(shape, path)));
  if (absent.length === 0) return [];
  const names = shapes.flatMap((shape) => [...listFields(shape)].map(({ path }) => path));
  return absent.flatMap((use, index): (Use & UnknownField)[] => {
    const other = others.find(({ fields }) => fields !== null && isFieldOf(fields, use.path));
    if (other !== undefined) return [{ ...use, trigger: other.trigger, suggestion: null }];
    if (anything) return [];
    return [{ ...use, trigger: null, suggestion: index < suggestionsAtMost ? nearestName(use.path, names) : null }];
  });
}
