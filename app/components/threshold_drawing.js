// What the threshold component draws on its canvases.

import { element } from "./nodes.js";
import { grouped, ticksBetween } from "./numbers.js";
import { NBSP, below, digitsOf, many, notAbove, number, percent, rateOf } from "./threshold_counts.js";
import { say } from "./threshold_nodes.js";

const BINS = 80; // of a histogram
const DASHES = { solid: [], dash: [7, 4], dot: [2, 3], dashdot: [7, 3, 2, 3], longdash: [11, 4] };

/**
 * Two canvases on top of each other: what stays, and what moves.
 * @typedef {{
 *   box: HTMLElement, still: HTMLCanvasElement, over: HTMLCanvasElement, width: number, height: number,
 *   stillContext?: CanvasRenderingContext2D, overContext?: CanvasRenderingContext2D,
 *   lines?: any[], y?: (share: number) => number,
 * }} Layer
 */

/** @returns {Layer} */
export function layers(label) {
  const box = element("div", "layers");
  const still = element("canvas", "still");
  const over = element("canvas", "over");
  still.setAttribute("role", "img");
  still.setAttribute("aria-label", label);
  over.setAttribute("aria-hidden", "true");
  box.append(still, over);
  return { box, still, over, width: 0, height: 0 };
}

export function resize(layer, width, height) {
  const ratio = window.devicePixelRatio || 1;
  Object.assign(layer, { width, height });
  for (const name of ["still", "over"]) {
    const canvas = layer[name];
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    layer[`${name}Context`] = context;
  }
}

export class Drawing {
  /** @param {HTMLElement} root holds all of the component */
  constructor(root) {
    this.root = root;
    this.key = null; // of the data that are drawn
    this.t = 0; // the threshold
    /** @type {number} the server's threshold */
    this.told = null;
    this.isDragging = false;
    this.highlighted = null; // a group
    this.width = 0;
    this.column = 0; // pixels of the charts that share the axis of scores
    this.left = 0; // pixels of the gutters beside the axis of scores
    this.right = 0;
    this.rowHeight = 0;
    /** @type {ReturnType<typeof import("./threshold_counts.js").scoreAxis>} */
    this.axis = null;
    /** @type {any[]} a subset's live samples, or its attacks of a species */
    this.cells = [];
    /** @type {any} all live samples that are reported */
    this.live = null;
    /** @type {any} all attacks */
    this.all = null;
    /** @type {any[]} attacks of a species each */
    this.species = [];
    /** @type {any[]} groups that have a curve */
    this.drawn = [];
    /** @type {string[]} subsets */
    this.reported = [];
    /** @type {(Float32Array | Float64Array)[]} ascending, of every reported cell */
    this.reportedScores = [];
    /** @type {Layer} */
    this.track = null;
    /** @type {Layer} */
    this.cellRows = null;
    /** @type {Layer} */
    this.errors = null;
    /** @type {Text} */
    this.nearest = null;
    /** @type {Text} */
    this.waiting = null;
    this.neutral = "";
  }

  readTheme() {
    const style = getComputedStyle(this.root);
    this.ink = style.color;
    this.ground = style.getPropertyValue("--st-background-color").trim() || "#ffffff";
    this.face = `12px ${style.fontFamily}`;
    this.strong = `600 12px ${style.fontFamily}`;
  }

  fresh(layer) {
    const context = layer.stillContext;
    context.clearRect(0, 0, layer.width, layer.height);
    Object.assign(context, { font: this.face, fillStyle: this.ink, textBaseline: "middle", textAlign: "left" });
    Object.assign(context, { lineWidth: 1, globalAlpha: 1 });
    context.setLineDash([]);
    return context;
  }

  alphaOf(group) {
    return this.highlighted && this.highlighted !== group ? 0.15 : 1;
  }

  // Marks below a chart with the axis of scores; `shift`: where that axis begins on its canvas.
  drawScoreTicks(context, y, shift, top, title = "") {
    const { axis } = this;
    context.textAlign = "center";
    const ticks = ticksBetween(axis.low, axis.high, Math.max(2, (axis.right - axis.left) / 64));
    for (const tick of ticks) {
      const x = axis.pixel(tick) - shift;
      context.fillStyle = "rgba(128,128,128,0.2)";
      context.fillRect(Math.round(x), top, 1, y - 8 - top);
      context.fillStyle = this.ink;
      if (x > 16) context.fillText(number(tick), x, y);
    }
    context.fillStyle = "rgba(128,128,128,0.12)"; // where the axis is squeezed
    if (axis.tails[0]) context.fillRect(axis.start - shift, top, axis.left - axis.start, y - 8 - top);
    if (axis.tails[1]) context.fillRect(axis.right - shift, top, axis.end - axis.right, y - 8 - top);
    context.fillStyle = this.ink;
    context.textAlign = "left";
    context.fillText(title, axis.end - shift + 8, y);
  }

  // Counts of sorted scores between neighbouring edges; infinite ones are in the outermost.
  histogram(scores, edges) {
    const at = edges.map((edge) => (edge === Infinity ? scores.length : below(scores, edge)));
    return edges.slice(1).map((_, i) => at[i + 1] - at[i]);
  }

  drawTrack() {
    const context = this.fresh(this.track);
    const { axis } = this;
    const shift = this.left;
    const [from, to] = [axis.start - shift, axis.end - shift];
    this.drawScoreTicks(context, 72, shift, 26);
    context.fillStyle = "rgba(128,128,128,0.35)";
    context.fillRect(from, 11, to - from, 4);
    // Density of the reported scores, live above the line and attacks below it; square roots, so that single ones show.
    const count = Math.floor((to - from) / 2);
    const edges = Array.from({ length: count + 1 }, (_, i) => axis.score(axis.start + ((to - from) * i) / count));
    edges[count] = Infinity;
    edges[0] = -Infinity;
    const middle = 45;
    for (const [group, sign] of [
      [this.live, -1],
      [this.all, 1],
    ]) {
      const sum = new Float64Array(count);
      for (const i of group.cells) this.histogram(this.cells[i].scores, edges).forEach((n, bin) => (sum[bin] += n));
      const most = Math.max(...sum, 1);
      context.fillStyle = group.colour;
      sum.forEach((n, bin) => {
        if (!n) return;
        const height = Math.max(1.5, 17 * Math.sqrt(n / most));
        context.fillRect(from + 2 * bin, sign < 0 ? middle - height : middle + 1, 2, height);
      });
    }
    context.fillStyle = this.ink;
    context.fillRect(from, middle, to - from, 1);
  }

  cut(context, text, width) {
    if (context.measureText(text).width <= width) return text;
    let end = text.length;
    while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > width) end--;
    return `${text.slice(0, end)}…`;
  }

  // Of the histograms: scores between which samples are counted, and where these lie; the outermost take all beyond.
  bins() {
    const { axis } = this;
    const edges = Array.from({ length: BINS + 1 }, (_, i) => axis.low + ((axis.high - axis.low) * i) / BINS);
    const spots = edges.map((edge) => axis.pixel(edge));
    spots[0] = axis.left;
    spots[BINS] = axis.right;
    if (axis.tails[0]) (edges.unshift(-Infinity), spots.unshift(axis.start));
    else edges[0] = -Infinity;
    if (axis.tails[1]) (edges.push(Infinity), spots.push(axis.end));
    else edges[edges.length - 1] = Infinity;
    return { edges, spots };
  }

  drawCells() {
    const context = this.fresh(this.cellRows);
    const { axis, rowHeight, cells } = this;
    const bottom = rowHeight * cells.length;
    this.drawScoreTicks(context, bottom + 13, 0, 0, "score");
    const { edges, spots } = this.bins();
    cells.forEach((cell, i) => {
      const base = rowHeight * (i + 1) - 1;
      context.fillStyle = this.ink;
      context.globalAlpha = this.reported.includes(cell.subset) ? 1 : 0.75;
      context.fillText(this.cut(context, cell.words, this.left - 26), 18, base - rowHeight / 2 + 1);
      context.globalAlpha = 1;
      context.beginPath();
      context.arc(8, base - rowHeight / 2, 4, 0, 2 * Math.PI);
      context.strokeStyle = context.fillStyle = cell.colour;
      context.lineWidth = 2;
      context.stroke();
      if (!cell.hollow) context.fill();
      context.fillStyle = "rgba(128,128,128,0.3)";
      context.fillRect(axis.start, base, axis.end - axis.start, 1);
      const counts = this.histogram(cell.scores, edges);
      const most = Math.max(...counts, 1);
      context.beginPath();
      context.moveTo(spots[0], base);
      counts.forEach((n, bin) => {
        const y = base - ((rowHeight - 4) * n) / most;
        context.lineTo(spots[bin], y);
        context.lineTo(spots[bin + 1], y);
      });
      context.lineTo(spots.at(-1), base);
      context.fillStyle = cell.colour;
      context.globalAlpha = cell.hollow ? 0.12 : 0.35;
      context.fill();
      context.globalAlpha = 1;
      context.lineWidth = 1.25;
      context.setLineDash(DASHES[cell.dash] ?? []);
      context.stroke();
      context.setLineDash([]);
    });
  }

  // Groups whose error rates are drawn against the threshold.
  get erring() {
    return [...this.drawn.filter((group) => group.kind === "species"), this.live];
  }

  errorCurve(group) {
    if (group === this.live) return { thresholds: this.all.curve.thresholds, rates: this.all.curve.bpcer };
    return { thresholds: group.curve.thresholds, rates: group.curve.found.map((found) => 1 - found) };
  }

  isBanded(group) {
    return group.band && (this.erring.length <= 6 || this.highlighted === group);
  }

  drawErrors() {
    const layer = this.errors;
    const context = this.fresh(layer);
    const { axis } = this;
    const [top, bottom] = [8, layer.height - 24];
    layer.y = (share) => bottom - share * (bottom - top);
    this.drawScoreTicks(context, bottom + 14, 0, top, "threshold");
    context.textAlign = "right";
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      context.fillStyle = "rgba(128,128,128,0.2)";
      context.fillRect(axis.start, layer.y(share), axis.end - axis.start, 1);
      context.fillStyle = this.ink;
      context.fillText(`${100 * share}${NBSP}%`, this.left - 4, layer.y(share));
    }
    context.textAlign = "left";
    context.fillText("error rate", 0, layer.y(0.5));
    layer.lines = [];
    for (const group of this.erring) {
      const isLive = group === this.live;
      const { thresholds, rates } = this.errorCurve(group);
      const xs = Array.from(thresholds, (t) => axis.pixel(t));
      const ys = Array.from(rates, layer.y);
      if (this.isBanded(group)) this.drawBand(context, layer, group, !isLive);
      context.globalAlpha = this.alphaOf(group);
      context.beginPath();
      context.moveTo(xs[0], ys[0]);
      for (let i = 1; i < xs.length; i++) {
        context.lineTo(xs[i - 1], ys[i]);
        context.lineTo(xs[i], ys[i]);
      }
      context.strokeStyle = group.colour;
      context.lineWidth = isLive ? 3 : 2;
      context.stroke();
      context.globalAlpha = 1;
      const name = isLive ? "BPCER" : `${group.words}: APCER`;
      const words = (i) => `${name} ${percent(rates[i], 1)}\nthreshold ${number(thresholds[i])}`;
      layer.lines.push({ xs, ys, words });
    }
  }

  drawBand(context, layer, group, isAttack) {
    const { grid, low, high } = group.band;
    const flip = isAttack ? (share) => 1 - share : (share) => share;
    context.beginPath();
    for (let i = 0; i < grid.length; i++) context.lineTo(this.axis.pixel(grid[i]), layer.y(flip(low[i])));
    for (let i = grid.length - 1; i >= 0; i--) context.lineTo(this.axis.pixel(grid[i]), layer.y(flip(high[i])));
    context.globalAlpha = 0.13 * this.alphaOf(group);
    context.fillStyle = group.colour;
    context.fill();
    context.globalAlpha = 1;
  }

  over(layer) {
    const context = layer.overContext;
    context.clearRect(0, 0, layer.width, layer.height);
    context.font = this.face;
    context.textBaseline = "middle";
    return context;
  }

  drawSlider() {
    const context = this.over(this.track);
    const x = this.axis.pixel(this.t) - this.left;
    context.fillStyle = this.neutral;
    context.fillRect(x - 1.5, 13, 3, 52);
    context.beginPath();
    context.arc(x, 13, 8, 0, 2 * Math.PI);
    context.fillStyle = this.ink;
    context.fill();
    context.strokeStyle = this.ground;
    context.lineWidth = 2;
    context.stroke();
    say(this.nearest, this.supportText());
    say(this.waiting, this.t === this.told ? "" : this.isDragging ? "Release to use it on all pages" : "");
  }

  drawLine(context, height) {
    context.fillStyle = this.neutral;
    context.fillRect(this.axis.pixel(this.t) - 1.5, 0, 3, height);
  }

  drawOverCells({ above }) {
    const context = this.over(this.cellRows);
    const { rowHeight, cells } = this;
    this.drawLine(context, rowHeight * cells.length);
    context.textAlign = "right";
    context.fillStyle = this.ink;
    cells.forEach((cell, i) => {
      const rate = rateOf(cell, above[i], cell.species !== "");
      if (rate)
        context.fillText(percent(rate.value, digitsOf(rate.trials)), this.column - 2, rowHeight * (i + 0.5) + 1);
    });
  }

  drawOverErrors({ rates, worst }) {
    const context = this.over(this.errors);
    const x = this.axis.pixel(this.t);
    this.drawLine(context, this.errors.height - 24);
    const dot = (group, radius) => this.drawDot(context, x, this.errors.y(rates.get(group).value), group, radius);
    for (const group of this.species) if (rates.get(group)) dot(group, 4);
    dot(this.live, 6);
    // The two that matter, by name and number.
    const labels = [
      [this.live, "live rejected"],
      [worst, `${worst.words} passes`],
    ].map(([group, words]) => {
      const { value, trials } = rates.get(group);
      return { y: this.errors.y(value), text: `${words} ${percent(value, digitsOf(trials))}` };
    });
    labels.sort((a, b) => a.y - b.y);
    if (labels[1].y - labels[0].y < 16) {
      const middle = Math.min(Math.max((labels[0].y + labels[1].y) / 2, 18), this.errors.height - 44);
      [labels[0].y, labels[1].y] = [middle - 8, middle + 8];
    }
    context.font = this.strong;
    for (const { y, text } of labels) {
      const width = context.measureText(text).width;
      const isLeft = x + width + 16 > this.axis.end;
      const from = isLeft ? x - 12 - width : x + 12;
      const line = Math.min(Math.max(y, 10), this.errors.height - 34);
      context.globalAlpha = 0.8;
      context.fillStyle = this.ground;
      context.fillRect(from - 3, line - 8, width + 6, 16);
      context.globalAlpha = 1;
      context.fillStyle = this.ink;
      context.textAlign = "left";
      context.fillText(text, from, line);
    }
  }

  drawDot(context, x, y, group, radius) {
    context.globalAlpha = this.alphaOf(group);
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = group.colour;
    context.fill();
    context.strokeStyle = this.ground;
    context.lineWidth = 1.5;
    context.stroke();
    context.globalAlpha = 1;
  }

  // How much evidence there is around the threshold.
  supportText() {
    const { axis, t } = this;
    let nearest = Infinity;
    let same = 0;
    for (const scores of this.reportedScores) {
      const i = below(scores, t);
      if (i < scores.length) nearest = Math.min(nearest, scores[i] - t);
      if (i > 0) nearest = Math.min(nearest, t - scores[i - 1]);
      same += notAbove(scores, t) - i;
    }
    const around = 0.01 * (axis.high - axis.low);
    const near = (group) => {
      let sum = 0;
      for (const { scores } of group.cells.map((i) => this.cells[i])) {
        sum += notAbove(scores, t + around) - below(scores, t - around);
      }
      return sum;
    };
    const [live, attacks] = [near(this.live), near(this.all)];
    if (live + attacks === 0) return `No sample within ±${number(nearest, 2)}.`;
    const exact = same ? ` ${many(same, "sample has", "samples have")} exactly this score.` : "";
    return `Within ±${number(around, 2)} of it: ${grouped(live)} live, ${many(attacks, "attack")}.${exact}`;
  }
}
