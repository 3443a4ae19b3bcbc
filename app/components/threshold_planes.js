// The planes of the threshold component: ROC, precision and recall, DET.

import { element } from "./nodes.js";
import { NBSP, number, percent, probit } from "./threshold_counts.js";
import { Drawing } from "./threshold_drawing.js";

/** @typedef {import("./threshold_drawing.js").Layer} Layer */

const DET_TOP = 0.98; // rates above it, and those that are 0, lie on the edge of the probit axes

export class Planes extends Drawing {
  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    /** @type {(Layer & Record<string, any>)[]} ROC, precision and recall, DET */
    this.planes = [];
    this.prevalence = 0; // the stated share of attacks
    this.isAdjusted = false; // whether precision is that at the stated prevalence
    this.adjust = element("button", "adjust");
  }

  // Maps shares to pixels of a plane: its two axes, and where a point of a group's curve lies.
  plane(plane) {
    const [left, right, top, bottom] = [50, plane.width - 10, 8, plane.height - 42];
    if (plane.kind === "det") {
      const edge = 1 / (2 * Math.max(this.live.n, this.all.n));
      const [from, to] = [probit(Math.min(edge, 0.1)), probit(DET_TOP)];
      const place = (share) => (probit(Math.min(Math.max(share, edge), DET_TOP)) - from) / (to - from);
      plane.ticks = [0.00001, 0.0001, 0.001, 0.01, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95].filter((share) => share > edge);
      plane.px = (share) => left + place(share) * (right - left);
      plane.py = (share) => bottom - place(share) * (bottom - top);
      plane.at = (bpcer, found) => [plane.px(1 - found), plane.py(bpcer)];
    } else {
      plane.ticks = [0, 0.25, 0.5, 0.75, 1];
      plane.px = (share) => left + 4 + share * (right - left - 8);
      plane.py = (share) => bottom - 4 - share * (bottom - top - 8);
      plane.at =
        plane.kind === "roc"
          ? (bpcer, found) => [plane.px(bpcer), plane.py(found)]
          : (bpcer, found, precision) => [plane.px(found), plane.py(precision)];
    }
    return { left, right, top, bottom };
  }

  // The share of alarms that are attacks: as in these samples, or where attacks are as frequent as is stated.
  precision(bpcer, found, sampled) {
    if (!this.isAdjusted) return sampled;
    return (this.prevalence * found) / (this.prevalence * found + (1 - this.prevalence) * bpcer);
  }

  // The precision-recall curves again, after what they are drawn for has changed.
  drawPrecision() {
    const share = `at ${Number((100 * this.prevalence).toPrecision(6))} % attacks`;
    this.adjust.textContent = this.isAdjusted ? share : "as in these samples";
    this.adjust.title = this.isAdjusted
      ? "Precision where attacks are as frequent as stated below; click for that in these samples."
      : `Precision depends on the share of attacks; click for that ${share}.`;
    this.adjust.setAttribute("aria-pressed", String(this.isAdjusted));
    if (this.width && this.drawn?.length) this.drawPlane(this.planes[1]);
  }

  drawPlane(plane) {
    const context = this.fresh(plane);
    this.drawPlaneAxes(context, plane);
    plane.lines = this.drawn.map((group) => this.drawCurve(context, plane, group));
  }

  drawPlaneAxes(context, plane) {
    const { left, right, top, bottom } = this.plane(plane);
    const label = (share) => `${Number((100 * share).toPrecision(6))}${NBSP}%`;
    let lastX = -Infinity;
    for (const share of plane.ticks) {
      context.fillStyle = "rgba(128,128,128,0.2)";
      context.fillRect(plane.px(share), top, 1, bottom - top);
      context.fillRect(left, plane.py(share), right - left, 1);
      context.fillStyle = this.ink;
      context.textAlign = "right";
      context.fillText(label(share), left - 5, plane.py(share));
      const half = context.measureText(label(share)).width / 2;
      const x = Math.min(plane.px(share), plane.width - half);
      if (x - half < lastX + 6) continue; // no room
      context.textAlign = "center";
      context.fillText(label(share), x, bottom + 11);
      lastX = x + half;
    }
    context.textAlign = "center";
    context.fillText(plane.across, (left + right) / 2, bottom + 30);
    context.save();
    context.translate(7, (top + bottom) / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(plane.up, 0, 0);
    context.restore();
    if (plane.kind === "roc") {
      context.strokeStyle = this.neutral;
      context.setLineDash([2, 3]);
      context.beginPath();
      context.moveTo(plane.px(0), plane.py(0));
      context.lineTo(plane.px(1), plane.py(1));
      context.stroke();
      context.setLineDash([]);
    }
  }

  // A group's curve, and what is said of its points under the pointer.
  drawCurve(context, plane, group) {
    const { bpcer, found, precision, thresholds } = group.curve;
    const line = { xs: [], ys: [] };
    const from = [];
    context.beginPath();
    for (let i = 0; i < bpcer.length; i++) {
      if (plane.kind === "pr" && Number.isNaN(precision[i])) continue;
      const [x, y] = plane.at(bpcer[i], found[i], this.precision(bpcer[i], found[i], precision[i]));
      context.lineTo(x, y);
      line.xs.push(x);
      line.ys.push(y);
      from.push(i);
    }
    context.globalAlpha = this.alphaOf(group);
    context.strokeStyle = group.colour;
    context.lineWidth = group.kind === "attacks" || group === this.highlighted ? 3 : 2;
    context.stroke();
    context.globalAlpha = 1;
    line.words = (k) => {
      const i = from[k];
      const shares = {
        roc: () => `BPCER ${percent(bpcer[i], 1)}\nattacks found ${percent(found[i], 1)}`,
        pr: () => {
          const shown = this.precision(bpcer[i], found[i], precision[i]);
          return `recall ${percent(found[i], 1)}\nprecision ${percent(shown, 1)}`;
        },
        det: () => `APCER ${percent(1 - found[i], 1)}\nBPCER ${percent(bpcer[i], 1)}`,
      };
      return `${group.words}\n${shares[plane.kind]()}\nthreshold ${number(thresholds[i])}`;
    };
    return line;
  }

  drawOverPlane(plane, { rates }) {
    const context = this.over(plane);
    const live = rates.get(this.live);
    for (const group of this.drawn) {
      const rate = rates.get(group);
      const found = rate.n - rate.errors;
      if (plane.kind === "pr" && found + live.errors === 0) continue; // no alarm: no precision
      const shown = this.precision(live.value, found / rate.n, found / (found + live.errors));
      const [x, y] = plane.at(live.value, found / rate.n, shown);
      this.drawDot(context, x, y, group, group.kind === "attacks" ? 6 : 5);
    }
  }
}
