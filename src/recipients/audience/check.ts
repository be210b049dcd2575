import { refuseAt } from '../../errors.ts';
import type { AttributeTest, AudienceFilter } from './schema.ts';

const deepest = 8;
const filtersAtMost = 200;
const valuesAtMost = 2_000;
const namesAtMost = 8;

/** The names that lead to an attribute, from the outside in. */
export function pathOf({ name }: Pick<AttributeTest, 'name'>): string[] {
  return typeof name === 'string' ? name.split('.') : name;
}

function checkRange(pointer: string, low: unknown, high: unknown, names: { low: string; high: string }): void {
  if (low === undefined || high === undefined) return;
  if (typeof low !== typeof high) {
    refuseAt(
      `${pointer}/${names.high}`,
      'range_mixed',
      `must be of the kind that ${names.low} is: both numbers, or both days`,
    );
  }
  if ((low as number) > (high as number)) {
    refuseAt(`${pointer}/${names.high}`, 'range_reversed', `must not be below ${names.low}`);
  }
}

function checkAttribute(test: AttributeTest, pointer: string): void {
  const path = pathOf(test);
  if (path.length > namesAtMost) refuseAt(`${pointer}/name`, 'too_deep', `must lead at most ${namesAtMost} deep`);
  if (typeof test.name === 'string' && path.includes('')) {
    refuseAt(`${pointer}/name`, 'wrong_format', 'must have a name on each side of a dot; a list of names may have any');
  }
  checkRange(pointer, test.from, test.to, { low: 'from', high: 'to' });
  checkRange(pointer, test.fromDays, test.toDays, { low: 'fromDays', high: 'toDays' });
  const isDate = test.fromDays !== undefined || test.toDays !== undefined;
  for (const bound of ['from', 'to'] as const) {
    if (isDate && typeof test[bound] === 'number') {
      refuseAt(`${pointer}/${bound}`, 'range_mixed', 'must be a day beside fromDays or toDays');
    }
  }
}

/** The filters within a filter, with where they stand in it. */
function innerOf({ all = [], any = [], not }: AudienceFilter): [AudienceFilter, string][] {
  return [
    ...all.map((inner, index): [AudienceFilter, string] => [inner, `/all/${index}`]),
    ...any.map((inner, index): [AudienceFilter, string] => [inner, `/any/${index}`]),
    ...(not === undefined ? [] : [[not, '/not'] as [AudienceFilter, string]]),
  ];
}

/**
 * Checks what the schema of a filter cannot say: how deep and how large it is, and that its ranges can hold.
 * @param pointer where the filter stands in the body, e.g. `/filter`.
 * @throws AppError `unprocessable` naming the place.
 */
export function checkAudience(filter: AudienceFilter, pointer: string): void {
  let filters = 0;
  let values = 0;
  const visit = (one: AudienceFilter, at: string, depth: number): void => {
    filters += 1;
    if (filters > filtersAtMost) refuseAt(at, 'too_many', `must have at most ${filtersAtMost} filters in all`);
    if (depth > deepest) refuseAt(at, 'too_deep', `must not be nested deeper than ${deepest}`);
    const { attribute } = one;
    if (attribute !== undefined) {
      checkAttribute(attribute, `${at}/attribute`);
      values += (attribute.is?.length ?? 0) + (attribute.contains?.length ?? 0);
      if (values > valuesAtMost) {
        refuseAt(`${at}/attribute`, 'too_many', `must have at most ${valuesAtMost} values in all`);
      }
    }
    if (one.createdFrom !== undefined && one.createdTo !== undefined) {
      if (Date.parse(one.createdFrom) > Date.parse(one.createdTo)) {
        refuseAt(`${at}/createdTo`, 'range_reversed', 'must not be before createdFrom');
      }
    }
    for (const [inner, place] of innerOf(one)) visit(inner, `${at}${place}`, depth + 1);
  };
  visit(filter, pointer, 1);
}
