// Tables and names as files have them.

// How a formula begins, and what is a number: as files.harmless has them.
const FORMULA = /^[=+\-@\t\r\n＝＋－＠']/;
const NUMBER = /^[+-]?(\p{Nd}+\.?\p{Nd}*|\.\p{Nd}+)([eE][+-]?\p{Nd}+)?$/u;

/**
 * The text of a cell or heading, with an apostrophe before it where a spreadsheet would take it for a formula.
 * @param {string} text
 */
export function harmless(text) {
  return FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
}

function cell(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : harmless(value > 0 ? "inf" : "-inf");
  const text = harmless(String(value));
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {{ heads: string[], rows: Iterable<any[]> }} table */
export function csvOf({ heads, rows }) {
  const line = (row) => `${row.map(cell).join(",")}\n`;
  let text = line(heads);
  for (const row of rows) text += line(row);
  return text;
}

/**
 * A name of a file of several parts, of what every system allows in one.
 * @param {string[]} parts
 */
export function fileName(parts) {
  const plain = (text) => text.replace(/[^\p{L}\p{N}_.+]+/gu, "-").replace(/^[-.]+|[-.]+$/g, "");
  return parts.map(plain).filter(Boolean).join("-").slice(0, 150);
}

/** @param {string} text */
export function escapedXml(text) {
  // What XML cannot hold is left out.
  // eslint-disable-next-line no-control-regex
  const held = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "").replace(/\p{Cs}/gu, "");
  return held.replace(/[&<>"]/g, (letter) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[letter]);
}
