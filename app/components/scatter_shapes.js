// What lies where in a plane of 65,536 by 65,536 places: outlines, a grid to look in, and the bits of a selection.

export const TOP = 65535;
export const HIDDEN = 255; // code of a point that is not drawn at all
export const NOT_GIVEN = 253; // code of a point without a number, where colours stand for numbers
export const CONTEXT = [150, 150, 150];
export const OUTER = 1.85; // as palette.OUTER
export const RIM = 1; // CSS pixels of a point's edge
export const STROKE = 1.6; // CSS pixels of a hollow point's line
const SIDE = 256; // cells of the grid in which points are looked for, along each axis
const CELL = (TOP + 1) / SIDE;

// Where a polygon's outline crosses every integer v from `low` on: those of the i-th are at[starts[i]] to
// at[starts[i + 1] - 1]. A point is inside when an odd number of crossings lies beyond it. Edges are half open, so that
// a vertex counts once.
export function crossings(polygon) {
  let low = TOP;
  let high = 0;
  for (const [, v] of polygon) {
    low = Math.min(low, Math.ceil(v));
    high = Math.max(high, Math.floor(v));
  }
  low = Math.max(low, 0);
  high = Math.max(low - 1, Math.min(high, TOP));
  const each = (visit) =>
    polygon.forEach(([u1, v1], i) => {
      const [u2, v2] = polygon[(i + 1) % polygon.length];
      for (let v = Math.max(low, Math.ceil(Math.min(v1, v2))); v <= Math.min(high, Math.floor(Math.max(v1, v2))); v++) {
        if (v1 > v !== v2 > v) visit(v - low, u1 + ((v - v1) * (u2 - u1)) / (v2 - v1));
      }
    });
  const starts = new Int32Array(high - low + 2);
  each((i) => starts[i + 1]++);
  for (let i = 1; i < starts.length; i++) starts[i] += starts[i - 1];
  const next = starts.slice();
  const at = new Float64Array(starts.at(-1));
  each((i, u) => (at[next[i]++] = u));
  return { low, high, starts, at };
}

// Marks 1 for every point inside.
export function insidePolygon(points, polygon, n) {
  const marks = new Uint8Array(n);
  const { low, high, starts, at } = crossings(polygon);
  for (let i = 0; i < n; i++) {
    const v = points[2 * i + 1];
    if (v < low || v > high) continue;
    const u = points[2 * i];
    let inside = 0;
    for (let k = starts[v - low]; k < starts[v - low + 1]; k++) inside ^= at[k] > u ? 1 : 0;
    marks[i] = inside;
  }
  return marks;
}

/**
 * Marks 1 for every point inside a box of two corners.
 * @param {Uint16Array} points
 * @param {number[]} corner
 * @param {number[]} opposite
 * @param {number} n
 */
export function insideBox(points, [u1, v1], [u2, v2], n) {
  const marks = new Uint8Array(n);
  const [left, right, bottom, top] = [Math.min(u1, u2), Math.max(u1, u2), Math.min(v1, v2), Math.max(v1, v2)];
  for (let i = 0; i < n; i++) {
    const u = points[2 * i];
    const v = points[2 * i + 1];
    marks[i] = u >= left && u <= right && v >= bottom && v <= top ? 1 : 0;
  }
  return marks;
}

// The rows of every cell of a grid, so that what lies around the pointer is found without looking at millions.
export class Grid {
  constructor(points) {
    const n = points.length / 2;
    const cells = new Uint16Array(n);
    this.starts = new Uint32Array(SIDE ** 2 + 1); // of every cell in `rows`, and the end of the last one
    for (let i = 0; i < n; i++) {
      cells[i] = Math.floor(points[2 * i] / CELL) * SIDE + Math.floor(points[2 * i + 1] / CELL);
      this.starts[cells[i] + 1]++;
    }
    for (let cell = 0; cell < SIDE ** 2; cell++) this.starts[cell + 1] += this.starts[cell];
    const next = this.starts.slice();
    this.rows = new Uint32Array(n);
    for (let i = 0; i < n; i++) this.rows[next[cells[i]]++] = i;
  }

  /**
   * Rows by and by further away from a place: those of its cell, then of the cells around it, in pieces. With each ring,
   * how far away all that comes after it is at least, in units of the plane along both axes.
   * @param {number[]} place
   */
  *rings([u, v]) {
    const [column, line] = [Math.floor(u / CELL), Math.floor(v / CELL)];
    const edge = (at, middle, r) => Math.min(at - (middle - r) * CELL, (middle + r + 1) * CELL - at);
    for (let r = 0; r <= SIDE; r++) {
      const ring = [];
      for (let i = Math.max(0, column - r); i <= Math.min(SIDE - 1, column + r); i++) {
        const isWhole = Math.abs(i - column) === r;
        for (const [low, high] of isWhole
          ? [[line - r, line + r]]
          : [
              [line - r, line - r],
              [line + r, line + r],
            ]) {
          const [first, last] = [Math.max(0, low), Math.min(SIDE - 1, high)];
          if (first <= last)
            ring.push(this.rows.subarray(this.starts[i * SIDE + first], this.starts[i * SIDE + last + 1]));
        }
      }
      yield { ring, beyond: [edge(u, column, r), edge(v, line, r)] };
    }
  }
}

/**
 * How far a place lies outside an outline, negative inside it.
 * @param {number[][]} outline corners in order
 * @param {number} x
 * @param {number} y
 */
export function distanceFrom(outline, x, y) {
  let nearest = Infinity;
  let isInside = false;
  let [x1, y1] = outline.at(-1);
  for (const [x2, y2] of outline) {
    const [dx, dy] = [x2 - x1, y2 - y1];
    const along = Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy)));
    nearest = Math.min(nearest, Math.hypot(x - x1 - along * dx, y - y1 - along * dy));
    if (y1 > y !== y2 > y && x < x1 + ((y - y1) / dy) * dx) isInside = !isInside;
    [x1, y1] = [x2, y2];
  }
  return isInside ? -nearest : nearest;
}

// One bit per row as text. Not deflated: that waits for the next frame, and saves little where points are mixed.
export function packed(flags) {
  const bits = new Uint8Array(Math.ceil(flags.length / 8));
  for (let i = 0; i < flags.length; i++) if (flags[i]) bits[i >> 3] |= 128 >> (i & 7);
  let text = "";
  for (let i = 0; i < bits.length; i += 32768) text += String.fromCharCode(...bits.subarray(i, i + 32768));
  return btoa(text);
}
