// The points of a plot and the view of them: from bytes to places on the screen and back.
// Coordinates: u, v are the bytes' integers 0..65535; x, y the axes' units; pixels are CSS pixels of the plot area.

import { Grid, HIDDEN, NOT_GIVEN, TOP } from "./scatter_shapes.js";

export const MARGIN = { left: 48, right: 8, top: 30, bottom: 38 };
export const REACH = 14; // pixels around the pointer in which a point is found
const SHAPED = 2.5; // CSS pixels of a radius from which on shapes can be told; smaller points are dots
export const NEIGHBOURS = 12; // of a point under the pointer, that are asked for before it gets there

const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

export class Plane {
  /** @param {HTMLElement} root holds all of the plot */
  constructor(root) {
    this.root = root;
    this.data = null; // what scatter.py describes
    this.width = 0; // of the plot area
    this.height = 0;
    this.ratio = 1; // pixels of the screen per CSS pixel
    /** @type {{ x: number, y: number, unit: number }} its centre, and units of the axes per pixel */
    this.view = null;
    /** @type {[number, number, number]} the view that the address asks for */
    this.asked = null;
    /** @type {Uint16Array} u and v of every row */
    this.points = null;
    /** @type {Uint8Array} */
    this.codes = null;
    /** @type {Uint8Array} 1 where a row is selected */
    this.flags = null;
    this.pointsKey = ""; // what the bytes are called
    this.codesKey = "";
    /** @type {Set<string>} names of categories that are context */
    this.off = new Set();
    /** @type {Grid} */
    this.grid = null;
    /** @type {number} the row under the pointer */
    this.found = null;
    /** @type {number} the row under the pointer of another plot */
    this.elsewhere = null;
    this.count = 0; // rows selected
    this.isOnDark = false;
  }

  get isReady() {
    const { data } = this;
    return (
      this.points &&
      this.codes &&
      this.pointsKey === data.points &&
      this.codesKey === data.colours &&
      this.codes.length * 2 === this.points.length
    );
  }

  get span() {
    const { low, high } = this.data;
    return [0, 1].map((i) => high[i] - low[i] || 1);
  }

  fitted() {
    const [x, y] = this.span;
    return Math.max(x / (this.width - 32), y / (this.height - 32)); // units per pixel
  }

  // The view that the address asks for, as shares of the span and a zoom; else everything.
  setView() {
    const [x, y, zoom] = this.asked ?? [0.5, 0.5, 1];
    this.asked = null;
    const { low } = this.data;
    this.view = { x: low[0] + x * this.span[0], y: low[1] + y * this.span[1], unit: this.fitted() / zoom };
  }

  // From u, v to pixels of the plot area: p = a * u + b.
  transform(ratio = 1) {
    const { low } = this.data;
    const [x, y] = this.span;
    const { view } = this;
    return {
      au: (ratio * x) / TOP / view.unit,
      bu: ratio * ((low[0] - view.x) / view.unit + this.width / 2),
      av: (-ratio * y) / TOP / view.unit,
      bv: ratio * (this.height / 2 - (low[1] - view.y) / view.unit),
    };
  }

  /** @param {number[]} place on the screen */
  toPlane([px, py]) {
    const { au, bu, av, bv } = this.transform();
    return [(px - bu) / au, (py - bv) / av];
  }

  pixel(row) {
    const { au, bu, av, bv } = this.transform();
    return [au * this.points[2 * row] + bu, av * this.points[2 * row + 1] + bv];
  }

  // kinds: 0 not drawn, 1 context, 2 filled, 3 hollow. Points are filled in their colour and have its edge, which stands
  // out from the ground; `outlines` are their shapes, of every code by its place in `shapes`.
  palette() {
    const { categories, scale, circle } = this.data;
    const kinds = new Uint8Array(256);
    const [colours, edges] = [new Uint8Array(768), new Uint8Array(768)];
    const shapes = new Uint8Array(256);
    const outlines = [circle];
    const known = new Map([[JSON.stringify(circle), 0]]);
    const ground = this.isOnDark ? 1 : 0;
    if (scale) {
      for (const [ramp, to] of [
        [scale.colours, colours],
        [scale.edges[ground], edges],
      ]) {
        const anchors = ramp.map(rgb);
        for (let code = 0; code < NOT_GIVEN; code++) {
          const at = (code / (NOT_GIVEN - 1)) * (anchors.length - 1);
          const left = Math.min(Math.floor(at), anchors.length - 2);
          for (let c = 0; c < 3; c++)
            to[3 * code + c] = Math.round(anchors[left][c] + (at - left) * (anchors[left + 1][c] - anchors[left][c]));
        }
      }
      kinds.fill(2, 0, NOT_GIVEN);
      kinds[NOT_GIVEN] = 1;
    }
    for (const one of categories) {
      const isOff = this.off.has(one.name);
      kinds[one.code] = isOff ? 1 : one.hollow ? 3 : 2;
      colours.set(rgb(one.colour), 3 * one.code);
      edges.set(rgb(one.edges[ground]), 3 * one.code);
      const shape = JSON.stringify(one.outline);
      if (!known.has(shape)) known.set(shape, outlines.push(one.outline) - 1);
      shapes[one.code] = isOff ? 0 : known.get(shape);
    }
    kinds[HIDDEN] = 0;
    return { kinds, colours, edges, shapes, outlines };
  }

  get radius() {
    const n = this.data.n;
    const pixels = n <= 1000 ? 5 : n <= 8000 ? 4 : n <= 40000 ? 2.2 : n <= 200000 ? 1.5 : n <= 600000 ? 1 : 0.5;
    const zoom = this.fitted() / this.view.unit;
    return Math.min(n <= 8000 ? 6 : 4, pixels * Math.min(4, Math.max(1, zoom) ** 0.4)) * this.ratio;
  }

  isShaped(radius) {
    return radius > SHAPED * this.ratio;
  }

  // How many points the densest parts of the view have on a pixel, estimated from a part of them.
  peak(radius) {
    const every = Math.max(1, Math.floor(this.data.n / 150000));
    const side = 8;
    const [across, down] = [Math.ceil(this.width / side), Math.ceil(this.height / side)];
    const counts = new Uint32Array(across * down);
    const { au, bu, av, bv } = this.transform();
    for (let i = 0; i < this.data.n; i += every) {
      if (this.codes[i] === HIDDEN) continue;
      const px = au * this.points[2 * i] + bu;
      const py = av * this.points[2 * i + 1] + bv;
      if (px >= 0 && py >= 0 && px < this.width && py < this.height)
        counts[Math.floor(py / side) * across + Math.floor(px / side)]++;
    }
    const full = counts.filter((count) => count).sort();
    const dense = full.length ? full[Math.floor(0.98 * (full.length - 1))] : 0;
    const area = Math.max(1, Math.PI * (radius / this.ratio) ** 2);
    return Math.max(1, (dense * every * area) / side ** 2);
  }

  index() {
    return (this.grid ??= new Grid(this.points));
  }

  /**
   * The coloured points next to a place on the screen, the nearest one first.
   * @param {number[]} place
   * @param {number} most
   * @param {number} reach pixels
   */
  near([px, py], most, reach) {
    if (!this.isReady || px < 0 || py < 0 || px > this.width || py > this.height) return [];
    const { au, av } = this.transform();
    const at = this.toPlane([px, py]);
    const { kinds } = this.palette();
    const found = [];
    let worst = reach ** 2;
    const isBefore = (one, distance, row) => one.distance < distance || (one.distance === distance && one.row < row);
    for (const { ring, beyond } of this.index().rings(at)) {
      for (const rows of ring) {
        for (const row of rows) {
          const distance = ((this.points[2 * row] - at[0]) * au) ** 2 + ((this.points[2 * row + 1] - at[1]) * av) ** 2;
          if (distance > worst || kinds[this.codes[row]] < 2) continue;
          if (found.length === most && isBefore(found[most - 1], distance, row)) continue;
          found.splice(found.findLastIndex((one) => isBefore(one, distance, row)) + 1, 0, { distance, row });
          if (found.length > most) found.pop();
          if (found.length === most) worst = found[most - 1].distance;
        }
      }
      if (Math.min(Math.abs(beyond[0] * au), Math.abs(beyond[1] * av)) ** 2 > worst) break;
    }
    return found.map((one) => one.row);
  }

  nearest(at) {
    return this.near(at, 1, REACH)[0] ?? null;
  }

  around(row) {
    return this.near(this.pixel(row), NEIGHBOURS, 4 * REACH);
  }

  only(row) {
    const marks = new Uint8Array(this.data.n);
    marks[row] = 1;
    return marks;
  }
}
