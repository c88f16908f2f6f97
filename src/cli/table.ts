/** Text tables for a terminal. */

/** Numbers are set flush right, words flush left. */
export type Alignment = "left" | "right";

/** Rows of cells in columns as wide as their widest cell, two spaces apart; a row may have fewer cells. */
export function table(rows: readonly (readonly string[])[], alignment: readonly Alignment[]): string {
  const widths = alignment.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return alignment[column] === "right" ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
}

/** Rows of cells as a Markdown table, the first row its head; the first column is flush left, the others right. */
export function markdownTable([head = [], ...rows]: readonly (readonly string[])[]): string {
  const rule = head.map((_, column) => (column === 0 ? "---" : "---:"));
  return [head, rule, ...rows].map((row) => `| ${row.join(" | ")} |\n`).join("");
}

/** Bytes as MiB (2^20) with one decimal. */
export function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

/** A part as a share of a whole, with one decimal; of nothing it is 0. */
export function percent(part: number, whole: number): string {
  return `${(whole === 0 ? 0 : (100 * part) / whole).toFixed(1)} %`;
}
