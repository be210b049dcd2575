/** The table of hostile templates: whoever may write templates may write any of these. */
import { reachRows } from './hostile/reach-rows.ts';
import { resourceRows } from './hostile/resource-rows.ts';
import type { HostileRow } from './hostile/row.ts';

export type { HostileClass, HostileRow } from './hostile/row.ts';

/** Every row, class by class. */
export const hostileRows: readonly HostileRow[] = [...resourceRows, ...reachRows];
