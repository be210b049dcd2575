/** The query of an extraction over HTTP: a path under the source's address, with `{keys}` in its query string. */

export type HttpTarget = { kind: 'target'; url: URL } | { kind: 'problem'; message: string };

const problem = (message: string): HttpTarget => ({ kind: 'problem', message });

/** The address that is asked about some keys: they stand percent-encoded, with commas between. */
export function httpTarget(base: string, path: string, keys: readonly string[]): HttpTarget {
  const [before = '', ...after] = path.split('?');
  const search = after.join('?');
  if (/[\s\u0000-\u001f\u007f#\\]/.test(path)) return problem('the path has a blank, a # or a backslash');
  if (before.includes('{keys}') || !search.includes('{keys}')) {
    return problem('{keys} stands behind the question mark, as in members?ids={keys}');
  }
  if (!URL.canParse(base)) return problem('the address of the data source is no URL');
  const root = new URL(base);
  if (!root.pathname.endsWith('/')) root.pathname += '/';
  root.search = '';
  const list = keys.map(encodeURIComponent).join(',');
  const relative = `${before}?${search.replaceAll('{keys}', () => list)}`;
  if (!URL.canParse(relative, root.href)) return problem('the path is no path');
  const url = new URL(relative, root);
  if (url.origin !== root.origin || url.username !== '' || !url.pathname.startsWith(root.pathname)) {
    return problem('the path leads away from the address of the data source');
  }
  return { kind: 'target', url };
}
