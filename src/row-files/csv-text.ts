/** A spreadsheet would run a cell that begins like a formula. */
const formula = /^'*[=+\-@\t\r]/;
const guarded = /^'+[=+\-@\t\r]/;

/** A cell that no spreadsheet takes for a formula; `unguarded` gives it back as it was. */
function guard(text: string): string {
  return formula.test(text) ? `'${text}` : text;
}

/** A cell without the mark that keeps spreadsheets from taking it for a formula. */
export function unguarded(text: string): string {
  return guarded.test(text) ? text.slice(1) : text;
}

/** One line of CSV (RFC 4180), in which nothing is taken for a formula. */
export function csvLine(cells: readonly (string | number | boolean | Date | null)[], separator: string): string {
  const written = cells.map((cell) => {
    if (cell === null) return '';
    if (cell instanceof Date) return cell.toISOString();
    if (typeof cell !== 'string') return String(cell);
    const text = guard(cell);
    return /["\r\n;,\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${written.join(separator)}\r\n`;
}
