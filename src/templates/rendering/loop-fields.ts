/** Fields of the members of lists: what a loop reads of its variable, by the path of its list (`pieces[].titre`). */
import { analyzeSync, ForTag, type Template, TypeGuards, toValueSync } from 'liquidjs';

/** What is nested deeper is not looked at: each loop is read once for every one it stands in. */
const deepest = 20;

/** A field of a member, and where it stands. */
export interface MemberUse {
  path: string;
  row: number;
  col: number;
}

/** Loops' variables by name, with the path of a member of their list; null: it is none of the data. */
type Members = ReadonlyMap<string, string | null>;

function childrenOf(template: Template): Template[] {
  return template.children === undefined ? [] : (toValueSync(template.children(false, true)) as Template[]);
}

/** The path of a loop's list, through the loops around it; null where it is none of the data. */
function listOf({ collection }: ForTag, members: Members): string | null {
  if (!TypeGuards.isPropertyAccessToken(collection)) return null;
  const written = collection.getText();
  const [name = ''] = /^[^.[]+/.exec(written) ?? [];
  const member = members.get(name);
  if (member === undefined) return written;
  return member === null ? null : member + written.slice(name.length);
}

function* membersRead({ templates, variable: name }: ForTag, member: string): Generator<MemberUse> {
  const { globals } = analyzeSync(templates, { partials: false });
  for (const variable of globals[name] ?? []) {
    const path = String(variable);
    if (path !== name) yield { path: member + path.slice(name.length), ...variable.location };
  }
}

/** Every field that loops read of their members, in the order of loops. @param templates as they are parsed. */
export function* listMemberUses(
  templates: readonly Template[],
  members: Members = new Map(),
  depth = 0,
): Generator<MemberUse> {
  if (depth > deepest) return;
  for (const template of templates) {
    if (!(template instanceof ForTag)) {
      yield* listMemberUses(childrenOf(template), members, depth + 1);
      continue;
    }
    const list = listOf(template, members);
    const member = list === null ? null : `${list}[]`;
    if (member !== null) yield* membersRead(template, member);
    const inside = new Map([...members, [template.variable, member], ['forloop', null]]);
    yield* listMemberUses(template.templates, inside, depth + 1);
    yield* listMemberUses(template.elseTemplates, members, depth + 1);
  }
}
