// A threshold that moves everything while it is dragged: see threshold.py. Called again on the same nodes whenever the
// data change. What does not depend on the threshold is drawn once, on canvases of its own; per event the browser
// counts by binary search and redraws lines, markers and numbers. Texts from data go through text nodes or canvases.
// Each class knows those it extends alone: threshold_drawing.js, threshold_planes.js, threshold_tables.js,
// threshold_verdict.js, threshold_layout.js, and here the hand on mouse and keys, and the server.

import { later } from "./leaving.js";
import { element } from "./nodes.js";
import { below, counted, notAbove, number, rateOf, rateText } from "./threshold_counts.js";
import { Layout } from "./threshold_layout.js";
import { offerCharts } from "./threshold_saved.js";

const KEYS_REST = 300; // milliseconds after the last key, until the server hears

class Panel extends Layout {
  constructor(root) {
    super(root);
    this.isTyping = false;
    this.unheard = []; // thresholds sent whose answer has not come
    this.build();
    offerCharts(this);
    this.listen();
    this.observer = new ResizeObserver(() => this.layOut());
    this.observer.observe(root);
    root.addEventListener("transitionend", (event) => {
      if (event.target === root && event.propertyName === "color") this.drawStill();
    });
  }

  destroy() {
    clearTimeout(this.timer);
    this.observer.disconnect();
  }

  listen() {
    for (const target of [this.slider, this.cellRows.box, this.errors.box]) {
      const dragTo = (event) => {
        const box = target.getBoundingClientRect();
        const left = target === this.slider ? -this.left : 0; // the slider begins where the gutter of the others ends
        this.moveTo(this.scoreAt(event.clientX - box.left - left));
      };
      target.addEventListener("pointerdown", (event) => {
        if (event.button !== 0 || !this.key) return;
        event.preventDefault();
        this.slider.focus({ preventScroll: true });
        target.setPointerCapture(event.pointerId);
        this.isDragging = true;
        dragTo(event);
      });
      target.addEventListener("pointermove", (event) => this.isDragging && dragTo(event));
      for (const end of ["pointerup", "pointercancel"]) {
        target.addEventListener(end, () => {
          if (!this.isDragging) return;
          this.isDragging = false;
          this.tell();
        });
      }
    }
    this.slider.addEventListener("keydown", (event) => {
      const to = this.stepped(event);
      if (to === null) return;
      event.preventDefault();
      event.stopPropagation();
      this.moveTo(to);
      clearTimeout(this.timer);
      this.timer = later(() => this.tell(), KEYS_REST);
    });
    this.typed.addEventListener("keydown", (event) => event.stopPropagation()); // no shortcut of the page's
    this.typed.addEventListener("input", () => (this.isTyping = true));
    this.typed.addEventListener("change", () => {
      const value = Number(this.typed.value.trim().replace("−", "-").replace(",", "."));
      const isNumber = this.typed.value.trim() !== "" && Number.isFinite(value);
      this.typed.setAttribute("aria-invalid", String(!isNumber));
      this.typed.title = isNumber ? "" : "A number is needed, for example 0.5";
      if (!isNumber) return;
      this.moveTo(Math.min(Math.max(value, this.limits[0]), this.limits[1]));
      this.tell();
    });
    for (const plane of [...this.planes, this.errors]) this.tellOnHover(plane);
  }

  // Of the field that is made anew with the tables.
  listenToShare() {
    this.share.addEventListener("keydown", (event) => event.stopPropagation());
    this.share.addEventListener("input", () => {
      const share = Number(this.share.value) / 100;
      this.share.setAttribute("aria-invalid", String(!(share > 0 && share < 1)));
      if (!(share > 0 && share < 1)) return;
      this.prevalence = share;
      this.drawPrecision();
      this.draw();
    });
    this.share.addEventListener("change", () => {
      const share = Number(this.share.value) / 100;
      if (share > 0 && share < 1) this.send("prevalence", share);
    });
  }

  // The nearest point of a curve, in words, beside the pointer.
  tellOnHover(layer) {
    const tip = element("div", "tip");
    tip.hidden = true;
    layer.box.append(tip);
    layer.box.addEventListener("pointerleave", () => (tip.hidden = true));
    layer.box.addEventListener("pointermove", (event) => {
      tip.hidden = true;
      if (this.isDragging || !layer.lines) return;
      const box = layer.box.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      let nearest = 14 ** 2;
      let words = null;
      for (const line of layer.lines) {
        for (let i = 0; i < line.xs.length; i++) {
          const distance = (line.xs[i] - x) ** 2 + (line.ys[i] - y) ** 2;
          if (distance < nearest) [nearest, words] = [distance, () => line.words(i)];
        }
      }
      if (!words) return;
      tip.textContent = words();
      tip.hidden = false;
      tip.style.left = `${Math.max(0, Math.min(x + 12, layer.width - tip.offsetWidth))}px`;
      tip.style.top = `${y > layer.height / 2 ? y - tip.offsetHeight - 8 : y + 14}px`;
    });
  }

  // The score under a pixel, with no more digits than pixels can tell apart.
  scoreAt(x) {
    const { axis, limits } = this;
    if (x <= axis.start) return limits[0];
    if (x >= axis.end) return limits[1];
    const value = axis.score(x);
    const perPixel = Math.abs(axis.score(x + 0.5) - axis.score(x - 0.5));
    const unit = 10 ** Math.floor(Math.log10(perPixel || 1));
    const rounded = Number((Math.round(value / unit) * unit).toPrecision(15));
    return Math.min(Math.max(rounded, limits[0]), limits[1]);
  }

  // Where a key leads: to the next distinct score that is reported, or ten; just above the highest nobody is an attack.
  stepped(event) {
    const [lowest, highest] = this.limits;
    if (event.key === "Home") return lowest;
    if (event.key === "End") return highest;
    const up = ["ArrowRight", "ArrowUp", "PageUp"].includes(event.key);
    if (!up && !["ArrowLeft", "ArrowDown", "PageDown"].includes(event.key)) return null;
    let t = this.t;
    for (let left = event.shiftKey || event.key.startsWith("Page") ? 10 : 1; left > 0; left--) {
      t = up ? this.nextAbove(t) : this.nextBelow(t);
    }
    return t;
  }

  nextAbove(t) {
    let next = this.limits[1];
    for (const scores of this.reportedScores) {
      const i = notAbove(scores, t);
      if (i < scores.length && scores[i] < next) next = scores[i];
    }
    return next;
  }

  nextBelow(t) {
    let next = this.limits[0];
    for (const scores of this.reportedScores) {
      const i = below(scores, t);
      if (i > 0 && scores[i - 1] > next) next = scores[i - 1];
    }
    return next;
  }

  update({ data, setTriggerValue }) {
    this.send = setTriggerValue;
    const isNew = data.key !== this.key;
    if (this.score !== data.score || String(this.limits) !== String(data.limits)) this.unheard = []; // of another Run
    this.score = data.score;
    this.limits = data.limits;
    this.freeze.hidden = !data.freezes;
    this.roles = data.roles;
    this.limit = data.limit;
    const pinned = data.pinned;
    const isRepinned = String(pinned) !== String(this.pinned);
    this.pinned = pinned;
    this.slider.setAttribute("aria-valuemin", String(this.limits[0]));
    this.slider.setAttribute("aria-valuemax", String(this.limits[1]));
    const threshold = Number(String(data.threshold).replace("inf", "Infinity"));
    // The answer to a release moves nothing: it is where it was released, or keys and pointer have moved on since.
    const answered = this.unheard.indexOf(threshold);
    if (answered >= 0) this.unheard.splice(0, answered + 1);
    else if ((threshold !== this.told || isNew) && !this.isDragging) this.t = threshold;
    if (isNew) {
      this.key = data.key;
      this.read(data.made, data.numbers);
      this.highlighted = null;
      this.buildTables();
      this.listenToShare();
    }
    if (isNew || isRepinned) {
      this.buildVerdict();
      this.showPins();
    }
    this.showPlane(data.plane);
    this.told = threshold;
    this.prevalence = data.prevalence;
    const home = /** @type {ShadowRoot} */ (this.root.getRootNode());
    if (home.activeElement !== this.share) {
      this.share.value = String(Number((100 * this.prevalence).toPrecision(6)));
    }
    this.drawPrecision();
    this.showRoles();
    this.showTyped();
    if (isNew || !this.width) this.layOut(true);
    else this.draw();
    this.describe();
  }

  showTyped() {
    if (this.isTyping) return;
    this.typed.setAttribute("aria-invalid", "false");
    this.typed.value = Number.isFinite(this.t) ? String(this.t) : number(this.t); // whoever types it again decides alike
    this.typed.classList.toggle("long", this.typed.value.length > 14);
    if (!this.isDragging) this.typed.title = `Exactly ${this.t}`; // the field is narrow
  }

  moveTo(t) {
    this.t = t;
    this.isTyping = false;
    this.showTyped();
    this.draw();
  }

  tell() {
    clearTimeout(this.timer);
    this.draw();
    this.showTyped();
    this.describe();
    const heard = this.unheard.at(-1) ?? this.told;
    if (this.t === heard) return;
    this.unheard.push(this.t);
    this.send("threshold", this.t);
  }

  // What the canvases show, in words: when the threshold rests, not at every event.
  describe() {
    const { rates, above } = counted(this, this.t);
    this.reorderSpecies(rates);
    const at = ` Threshold ${number(this.t)}.`;
    const ofCells = this.cells.map((cell, i) => {
      const rate = rateText(rateOf(cell, above[i], cell.species !== ""));
      return `${cell.words}: ${rate} ${cell.species ? "let through" : "rejected"}`;
    });
    const title = `Histograms of ${this.score} per subset and species.`;
    this.cellRows.still.setAttribute("aria-label", `${title}${at} ${ofCells.join("; ")}.`);
    const each = this.species.map((group) => `${group.words} ${rateText(rates.get(group))}`).join(", ");
    const words = `${at} BPCER ${rateText(rates.get(this.live))}; APCER ${each}.`;
    this.errors.still.setAttribute("aria-label", `BPCER and APCER of every species against the threshold.${words}`);
    for (const { still, title: name, across, up } of this.planes) {
      still.setAttribute("aria-label", `${name}, ${up} against ${across}, per species.${words}`);
    }
    this.rowsNote.textContent =
      `Score: ${this.score}. At the right: live rejected, attacks let through. ` +
      `Each row has its own peak${this.axis?.tails.some(Boolean) ? "; outliers in the gray ends" : ""}.`;
  }
}

const panels = new WeakMap(); // root -> Panel

export default function (component) {
  const root = component.parentElement.querySelector(".threshold");
  if (!panels.has(root)) panels.set(root, new Panel(root));
  panels.get(root).update(component);
  return () => {
    panels.get(root)?.destroy();
    panels.delete(root);
  };
}
