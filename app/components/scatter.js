// Millions of points in a plane: see scatter.py. Called again on the same nodes whenever the data change. Positions,
// colours and the selection arrive as bytes from components of their own, so that changing one resends no other.
// Plots of a page that show the same rows are linked: selection, pointed sample, view and legend are those of all.
// Each class below knows those it extends alone: scatter_plane.js (places), scatter_drawing.js (pictures),
// scatter_linked.js (what is chosen), and here the hand on mouse and keys.

import { paint, paletteOf } from "./colours.js";
import { element } from "./nodes.js";
import { shared } from "./scatter_linked.js";
import { Pictured } from "./scatter_pictures.js";
import { MARGIN, NEIGHBOURS } from "./scatter_plane.js";
import { offerPlot } from "./scatter_saved.js";
import { insideBox, insidePolygon } from "./scatter_shapes.js";

const CLICK = 4; // pixels that a click may move
const TIP_IMAGE = 128;

function button(label, title, icon) {
  const made = element("button", "tool");
  made.type = "button";
  made.title = title;
  made.setAttribute("aria-label", label);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", icon);
  svg.append(path);
  made.append(svg);
  return made;
}

const ICONS = {
  lasso:
    "M12 4c5 0 8.5 2 8.5 5s-3.500 5-8.500 5c-5 0-8.500-2-8.500-5s3.500-5 8.500-5M7 13.300c-2 1-2 4 .5 4s2.500 2 1 3.500",
  box: "M4 6h16v12H4z",
  pan: "M12 3v18M3 12h18M12 3l-2.500 2.500M12 3l2.500 2.500M12 21l-2.500-2.500M12 21l2.500-2.500M3 12l2.500-2.500M3 12l2.500 2.500M21 12l-2.500-2.500M21 12l-2.500 2.500",
  in: "M12 5v14M5 12h14",
  out: "M5 12h14",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  clear: "M6 6l12 12M18 6L6 18",
};
const TOOLS = {
  lasso: ["Lasso", "Lasso (L): draw around points"],
  box: ["Box", "Box (B): drag a rectangle around points"],
  pan: ["Move", "Move (P): drag the plot; also with the middle button in any tool"],
};
const HELP =
  "Arrow keys move the plot under the cross, plus and minus zoom, 0 shows all. Enter selects the point in the cross, S " +
  "all points in view; with Shift they are added. Escape clears the selection. L, B and P choose lasso, box and move.";

class Scatter extends Pictured {
  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.tool = "lasso";
    /** @type {Record<string, HTMLButtonElement>} */
    this.tools = {};
    this.tip = element("div", "tip");
    this.tipImage = element("canvas");
    this.tipLines = element("div", "lines");
    this.isPressing = false;
    /** @type {number[]} */
    this.pointed = null;
    this.looking = null; // the frame in which the pointer is looked at
    this.inFlight = null; // when the server was asked
    this.onResize = () => this.layOut();
    this.build();
    this.observer = new ResizeObserver(() => this.layOut());
    this.observer.observe(root);
    this.onBytes = () => this.load();
    shared.heard.addEventListener("bytes", this.onBytes);
    this.onAnswer = (event) => this.hear(event.detail);
    shared.heard.addEventListener("answer", this.onAnswer);
    this.onOther = (event) => this.follow(event.detail);
    shared.heard.addEventListener("linked", this.onOther);
  }

  destroy() {
    super.destroy();
    clearTimeout(this.timer);
    clearTimeout(this.sharpening);
    this.observer.disconnect();
    window.removeEventListener("resize", this.onResize);
    shared.heard.removeEventListener("bytes", this.onBytes);
    shared.heard.removeEventListener("answer", this.onAnswer);
    shared.heard.removeEventListener("linked", this.onOther);
    this.renderer?.destroy();
  }

  build() {
    const { root } = this;
    root.replaceChildren();
    const bar = element("div", "bar");
    bar.setAttribute("role", "toolbar");
    bar.setAttribute("aria-label", "Plot tools");
    for (const [name, [label, title]] of Object.entries(TOOLS)) {
      this.tools[name] = button(label, title, ICONS[name]);
      this.tools[name].addEventListener("click", () => this.choose(name));
      bar.append(this.tools[name]);
    }
    /** @type {Record<string, [string, string, () => void]>} */
    const acts = {
      in: ["Zoom in", "Zoom in (+)", () => this.zoom(1.6)],
      out: ["Zoom out", "Zoom out (−)", () => this.zoom(1 / 1.6)],
      fit: ["Show all", "Show all (0)", () => this.fit()],
      clear: ["Clear the selection", "Clear the selection (Escape)", () => this.clear()],
    };
    for (const [name, [label, title, act]] of Object.entries(acts)) {
      const made = button(label, title, ICONS[name]);
      made.addEventListener("click", act);
      bar.append(made);
      if (name === "clear") this.clearing = made;
    }
    this.status.setAttribute("role", "status");
    bar.append(this.status);
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-roledescription", "scatter plot");
    this.stage.setAttribute("aria-describedby", "keys");
    const help = element("p", "sr", HELP);
    help.id = "keys";
    this.over.setAttribute("aria-hidden", "true");
    this.tip.hidden = true;
    window.addEventListener("resize", this.onResize);
    this.tip.append(this.tipImage, this.tipLines);
    this.legend.setAttribute("role", "group");
    this.legend.setAttribute("aria-label", "Categories: what is switched off stays as grey context");
    this.stage.append(this.over, this.waiting);
    root.append(bar, this.stage, this.legend, help, this.tip);
    offerPlot(this, bar);
    this.choose("lasso");
    this.makeRenderer(false);
    this.listen();
  }

  choose(tool) {
    this.tool = tool;
    for (const [name, made] of Object.entries(this.tools)) made.setAttribute("aria-pressed", String(name === tool));
    this.stage.dataset.tool = tool;
  }

  listen() {
    const { stage } = this;
    stage.addEventListener("pointerdown", (event) => this.press(event));
    stage.addEventListener("pointermove", (event) => this.drag(event));
    stage.addEventListener("pointerup", (event) => this.release(event));
    stage.addEventListener("pointercancel", () => this.cancel());
    stage.addEventListener("pointerleave", () => this.leave());
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("focus", () => this.cross(!this.isPressing && stage.matches(":focus-visible")));
    stage.addEventListener("blur", () => {
      this.cross(false);
      this.leave();
    });
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("transitionend", (event) => {
      if (event.target === this.root && event.propertyName === "color") this.draw();
    });
  }

  // The cross and the ring around the plot are there while it is used by keys.
  cross(isThere) {
    this.hasCross = isThere;
    this.stage.classList.toggle("keys", isThere);
    this.drawOver();
  }

  at(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left - MARGIN.left, event.clientY - box.top - MARGIN.top];
  }

  press(event) {
    if (!this.isReady || event.button > 1) return;
    event.preventDefault();
    this.isPressing = true;
    this.stage.focus({ preventScroll: true });
    this.isPressing = false;
    this.cross(false);
    this.stage.setPointerCapture(event.pointerId);
    this.gesture = { kind: event.button === 1 ? "pan" : this.tool, path: [this.at(event)], hasMoved: false };
    this.hide();
  }

  drag(event) {
    const { gesture } = this;
    if (!gesture) return this.point(this.at(event), event);
    for (const part of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) {
      const at = this.at(part);
      const last = gesture.path.at(-1);
      if (Math.hypot(at[0] - gesture.path[0][0], at[1] - gesture.path[0][1]) >= CLICK) gesture.hasMoved = true;
      if (gesture.kind === "pan" && gesture.hasMoved) this.move(at[0] - last[0], at[1] - last[1]);
      if (gesture.kind !== "pan" || gesture.hasMoved) gesture.path.push(at);
    }
    this.drawOver();
  }

  release(event) {
    const { gesture } = this;
    if (!gesture) return;
    this.gesture = null;
    const adds = event.shiftKey;
    if (!gesture.hasMoved) {
      const row = event.button === 0 ? this.nearest(gesture.path[0]) : null;
      if (row !== null) this.select(this.only(row), adds);
    } else if (gesture.kind === "box") {
      this.select(
        insideBox(this.points, this.toPlane(gesture.path[0]), this.toPlane(this.at(event)), this.data.n),
        adds,
      );
    } else if (gesture.kind === "lasso") {
      this.select(
        insidePolygon(
          this.points,
          gesture.path.map((at) => this.toPlane(at)),
          this.data.n,
        ),
        adds,
      );
    }
    this.drawOver();
  }

  cancel() {
    this.gesture = null;
    this.drawOver();
  }

  wheel(event) {
    if (!this.isReady) return;
    event.preventDefault();
    this.zoom(
      Math.exp(-Math.max(-300, Math.min(300, event.deltaMode ? 30 * event.deltaY : event.deltaY)) / 350),
      this.at(event),
    );
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      if (!this.gesture && !this.count) return;
      event.stopPropagation();
      return this.gesture ? this.cancel() : this.clear();
    }
    if (event.target !== this.stage || !this.isReady) return;
    const step = event.shiftKey ? 4 : 40;
    const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    const centre = [this.width / 2, this.height / 2];
    const acts = {
      "+": () => this.zoom(1.6),
      "=": () => this.zoom(1.6),
      "-": () => this.zoom(1 / 1.6),
      0: () => this.fit(),
      l: () => this.choose("lasso"),
      b: () => this.choose("box"),
      p: () => this.choose("pan"),
      s: () =>
        this.select(
          insideBox(this.points, this.toPlane([0, 0]), this.toPlane([this.width, this.height]), this.data.n),
          event.shiftKey,
        ),
      enter: () => {
        const row = this.nearest(centre);
        if (row !== null) this.select(this.only(row), event.shiftKey);
      },
    };
    const act = moves[event.key] ? () => this.move(...moves[event.key]) : acts[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    this.cross(true);
    act();
    this.point(centre);
  }

  point(at, event = null) {
    this.pointed = at;
    if (this.looking) return;
    this.looking = requestAnimationFrame(() => {
      this.looking = null;
      if (!this.pointed || this.gesture) return;
      const row = this.nearest(this.pointed);
      if (row === this.found) return row === null || this.place();
      this.find(row);
      this.drawOver();
      if (row === null) return this.hide();
      this.show(row);
      this.inquire(row);
    });
    if (event && this.hasCross) this.cross(false);
  }

  leave() {
    this.pointed = null;
    this.hide();
    this.drawOver();
  }

  hide() {
    this.find(null);
    this.tip.hidden = true;
  }

  find(row) {
    if (row === this.found) return;
    this.found = row;
    if (this.data) this.link({ row });
  }

  // Asks for a row, or, once it is known, for its neighbours: the pointer will be on one of them next.
  inquire(row) {
    if (!shared.ask || (this.inFlight && performance.now() - this.inFlight < 1500)) return; // an answer asks further
    const rows = this.answers.has(row) ? this.around(row).filter((other) => !this.answers.has(other)) : [row];
    if (!rows.length || (rows[0] !== row && rows.length < NEIGHBOURS / 2)) return;
    this.inFlight = performance.now();
    shared.ask({ rows, run: this.data.run });
  }

  hear({ run, answers }) {
    this.inFlight = null;
    if (!this.data || run !== this.data.run) return;
    for (const answer of answers) {
      if (this.answers.size >= 400) this.answers.delete(this.answers.keys().next().value);
      this.answers.set(answer.row, answer);
    }
    if (this.found === null) return;
    if (this.answers.has(this.found)) this.show(this.found);
    this.inquire(this.found);
  }

  show(row) {
    const answer = this.answers.get(row);
    const one = this.data.categories.find((category) => category.code === this.codes[row]);
    this.tipLines.replaceChildren();
    const lines = answer?.lines ?? [one?.words ?? "", "…"];
    lines.forEach((line) => this.tipLines.append(element("div", "", line)));
    if (answer?.width) {
      const { pixels, width, height } = answer;
      paint(this.tipImage, pixels, width, height, paletteOf(pixels, width, height));
    } else {
      Object.assign(this.tipImage, { width: TIP_IMAGE, height: TIP_IMAGE });
    }
    this.tipImage.hidden = answer !== undefined && !answer.width; // of scores alone
    this.tip.hidden = false;
    this.tip.dataset.row = answer ? String(row) : "";
    this.place();
  }

  place() {
    const [px, py] = this.pixel(this.found);
    const x = px + MARGIN.left;
    const y = py + MARGIN.top + this.stage.offsetTop;
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const left = x + 16 + width <= this.root.clientWidth ? x + 16 : Math.max(0, x - 16 - width);
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${Math.max(this.stage.offsetTop, Math.min(y - height / 2, this.stage.offsetTop + this.stage.offsetHeight - height))}px`;
  }
}

const scatters = new WeakMap(); // root -> Scatter

export default function (component) {
  const root = component.parentElement.querySelector(".scatter");
  if (!scatters.has(root)) scatters.set(root, new Scatter(root));
  scatters.get(root).update(component);
  return () => {
    scatters.get(root)?.destroy();
    scatters.delete(root);
  };
}
