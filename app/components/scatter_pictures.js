// The images of the points, at their places, where few enough are in view. They come as one sheet.

import { paint, paletteOf } from "./colours.js";
import { later } from "./leaving.js";
import { element } from "./nodes.js";
import { Linked, shared } from "./scatter_linked.js";

const MOST = 60; // points in view
const STILL = 200; // milliseconds until a view is looked at closer
const AGAIN = 1600; // milliseconds until what has not been answered is asked again
const TRIES = 4;
const KEPT = 600; // images

export class Pictured extends Linked {
  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    /** @type {Map<number, HTMLCanvasElement>} */
    this.pictures = new Map(); // row -> its image
    this.close = []; // rows in view, where they are few enough
    this.closing = null;
    this.tries = 0;
    this.onSheet = (event) => this.receive(event.detail);
    shared.heard.addEventListener("sheet", this.onSheet);
  }

  destroy() {
    clearTimeout(this.closing);
    shared.heard.removeEventListener("sheet", this.onSheet);
  }

  drawNow(isMoving) {
    super.drawNow(isMoving);
    clearTimeout(this.closing);
    this.tries = 0;
    if (this.data?.pictures) this.closing = later(() => this.gather(), STILL);
  }

  // The coloured points in view; one more than MOST at the end of the search.
  inView() {
    const { kinds } = this.palette();
    const { au, bu, av, bv } = this.transform();
    const rows = [];
    for (let row = 0; row < this.data.n && rows.length <= MOST; row++) {
      if (kinds[this.codes[row]] < 2) continue;
      const [px, py] = [au * this.points[2 * row] + bu, av * this.points[2 * row + 1] + bv];
      if (px >= 0 && py >= 0 && px <= this.width && py <= this.height) rows.push(row);
    }
    return rows;
  }

  gather() {
    if (!this.isReady || !this.view) return;
    const rows = this.inView();
    this.close = rows.length > MOST ? [] : rows;
    const missing = this.close.filter((row) => !this.pictures.has(row));
    if (missing.length && this.tries++ < TRIES) {
      shared.ask?.({ sheet: missing, run: this.data.run });
      this.closing = later(() => this.gather(), AGAIN);
    }
    this.drawOver();
  }

  receive({ run, rows, width, height, pixels }) {
    if (!this.data || run !== this.data.run) return;
    rows.forEach((row, i) => {
      if (this.pictures.size >= KEPT) this.pictures.delete(this.pictures.keys().next().value);
      const canvas = element("canvas");
      const bytes = pixels.subarray((i * pixels.length) / rows.length, ((i + 1) * pixels.length) / rows.length);
      paint(canvas, bytes, width, height, paletteOf(bytes, width, height));
      this.pictures.set(row, canvas);
    });
    this.drawOver();
  }

  get drawn() {
    return this.close.filter((row) => this.pictures.has(row));
  }

  get side() {
    const n = this.close.length;
    return n <= 12 ? 72 : n <= 30 ? 56 : 44;
  }

  drawRings(context, text, ground) {
    if (this.data.pictures && this.isReady) this.drawPictures(context, ground);
    super.drawRings(context, text, ground);
  }

  drawPictures(context, ground) {
    const { drawn, side } = this;
    this.root.dataset.pictures = JSON.stringify({ rows: drawn, side });
    if (!drawn.length) return;
    const looks = this.palette();
    const colour = (values, code) => `rgb(${values.slice(3 * code, 3 * code + 3).join(",")})`;
    context.save();
    for (const row of [...drawn.filter((one) => one !== this.found), ...drawn.filter((one) => one === this.found)]) {
      const code = this.codes[row];
      const [px, py] = this.pixel(row);
      const isHollow = looks.kinds[code] === 3;
      context.globalAlpha = this.count && !this.flags[row] && row !== this.found ? 0.4 : 1;
      context.drawImage(this.pictures.get(row), px - side / 2, py - side / 2, side, side);
      context.strokeStyle = colour(looks.edges, code);
      context.lineWidth = 2;
      context.setLineDash(isHollow ? [5, 3] : []);
      context.strokeRect(px - side / 2, py - side / 2, side, side);
      context.setLineDash([]);
      const mark = (on) => {
        for (const [x, y] of looks.outlines[looks.shapes[code]])
          on.lineTo(px - side / 2 + 5 * x, py - side / 2 + 5 * y);
        on.closePath();
      };
      this.strokeLayers(context, mark, [ground, 5], [colour(looks.edges, code), 2]);
      context.fillStyle = isHollow ? ground : colour(looks.colours, code);
      context.fill();
    }
    context.restore();
  }

  // Beside the points, also the image under the pointer, the one on top.
  nearest(at) {
    const row = super.nearest(at);
    if (row !== null) return row;
    const isUnder = (other) => this.pixel(other).every((place, i) => Math.abs(place - at[i]) <= this.side / 2);
    return this.drawn.findLast(isUnder) ?? null;
  }
}
