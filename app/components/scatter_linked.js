// What is chosen in a plot, and who hears of it: the legend, the selection and the view are those of all plots that show
// the same rows, of the server and of the address.

import { later } from "./leaving.js";
import { element } from "./nodes.js";
import { grouped } from "./numbers.js";
import { Drawing } from "./scatter_drawing.js";
import { HIDDEN, OUTER, packed } from "./scatter_shapes.js";

const REST = 350; // milliseconds until the address hears of the view

export const shared = (globalThis.fasScatter ??= { bytes: new Map(), heard: new EventTarget(), ask: null, tell: null });

const hasBoundsOf = (one, other) => String([one.low, one.high]) === String([other.low, other.high]);

// The point of a category, in its shape.
function chip({ outline, colour, edges, hollow }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", hollow ? "chip hollow" : "chip");
  svg.setAttribute("viewBox", [-OUTER, -OUTER, 2 * OUTER, 2 * OUTER].join(" "));
  svg.setAttribute("aria-hidden", "true");
  Object.entries({ "--fill": colour, "--on-light": edges[0], "--on-dark": edges[1] }).forEach(([name, value]) =>
    svg.style.setProperty(name, value),
  );
  const polygon = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  polygon.setAttribute("points", outline.join(" "));
  svg.append(polygon);
  return svg;
}

export class Linked extends Drawing {
  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.legend = element("div", "legend");
    this.status = element("span", "status");
    this.waiting = element("div", "waiting", "Loading the points …");
    /** @type {HTMLButtonElement} */
    this.clearing = null;
    this.legendIs = "";
    this.isFolded = false;
    this.selection = ""; // what the bits are called that the flags are
    this.ours = new Set(); // selections made here: the server's answer to them brings nothing new
    this.of = ""; // the Run of the flags
    this.answers = new Map(); // row -> what the server said of it
    this.timer = null;
    this.trigger = null;
  }

  update({ data, setTriggerValue }) {
    const before = this.data;
    this.data = data;
    this.legend.hidden = !data.legend;
    this.trigger = setTriggerValue;
    if (!before) {
      this.asked = data.view;
      this.off = new Set(data.off);
    } else {
      if (before.points !== data.points && !hasBoundsOf(before, data)) {
        this.view = this.asked = null;
        this.rest();
      }
      if (before.colour !== data.colour) this.off = new Set();
      if (before.run !== data.run) this.answers.clear();
    }
    this.drawLegend();
    this.stage.setAttribute("aria-label", data.words);
    this.load();
    this.drawOver();
  }

  load() {
    const { data } = this;
    if (!data) return;
    let isNew = false;
    const points = shared.bytes.get(data.points);
    if (points && this.pointsKey !== data.points) {
      this.pointsKey = data.points;
      this.points = new Uint16Array(points.slice().buffer);
      const n = this.points.length / 2;
      if (this.flags?.length !== n || this.of !== data.run) {
        this.flags = new Uint8Array(n);
        this.of = data.run;
        this.count = 0;
        this.selection = "";
        this.renderer.setFlags(this.flags);
      }
      this.renderer.setPoints(this.points);
      this.grid = null;
      this.found = null;
      isNew = true;
    }
    const codes = shared.bytes.get(data.colours);
    if (codes && this.codesKey !== data.colours) {
      this.codesKey = data.colours;
      this.codes = codes;
      this.renderer.setCodes(codes);
      isNew = true;
    }
    const bits = shared.bytes.get(data.selection);
    if (bits && this.flags && this.selection !== data.selection && !this.ours.has(data.selection)) {
      this.selection = data.selection;
      for (let i = 0; i < this.flags.length; i++) this.flags[i] = (bits[i >> 3] >> (7 - (i & 7))) & 1;
      this.renderer.setFlags(this.flags);
      isNew = true;
    }
    this.waiting.hidden = this.isReady;
    if (isNew && this.isReady) {
      this.recount();
      this.layOut();
      this.draw();
    }
  }

  recount() {
    let count = 0;
    for (let i = 0; i < this.flags.length; i++) if (this.flags[i] && this.codes[i] !== HIDDEN) count++;
    this.count = count;
    this.say();
  }

  say() {
    this.status.textContent = this.count ? `${grouped(this.count)} selected` : "";
    this.clearing.disabled = !this.count;
  }

  drawLegend() {
    const { categories, scale } = this.data;
    const wanted = JSON.stringify([categories, scale, [...this.off]]);
    if (this.legendIs === wanted) return;
    this.legendIs = wanted;
    const home = /** @type {ShadowRoot} */ (this.root.getRootNode());
    const focused = /** @type {HTMLElement} */ (home.activeElement)?.dataset.name;
    this.legend.replaceChildren(this.folding());
    for (const one of categories) {
      const made = element("button", "key");
      made.type = "button";
      made.dataset.name = one.name;
      made.setAttribute("aria-pressed", String(!this.off.has(one.name)));
      made.title = this.off.has(one.name)
        ? "Colour it again. With Shift: it alone"
        : "Keep it as grey context. With Shift: it alone";
      made.append(chip(one), element("span", "", one.words), element("span", "n", grouped(one.n)));
      made.addEventListener("click", (event) => this.toggle(one.name, event.shiftKey));
      this.legend.append(made);
      if (one.name === focused) made.focus();
    }
    if (this.off.size) {
      const all = element("button", "key all", "Colour all");
      all.type = "button";
      all.addEventListener("click", () => this.toggle(null));
      this.legend.append(all);
    }
    if (scale) {
      const bar = element("div", "scale");
      const ramp = element("i");
      ramp.style.background = `linear-gradient(to right, ${scale.colours.join(",")})`;
      bar.append(
        element("span", "", scale.title),
        element("span", "n", scale.low),
        ramp,
        element("span", "n", scale.high),
      );
      this.legend.append(bar);
    }
  }

  // Where the legend lies within the plot, it can be folded away from what it hides.
  folding() {
    const made = element("button", "key fold", "Legend");
    made.type = "button";
    const show = () => {
      this.legend.classList.toggle("folded", this.isFolded);
      made.setAttribute("aria-expanded", String(!this.isFolded));
    };
    made.addEventListener("click", () => {
      this.isFolded = !this.isFolded;
      show();
    });
    show();
    return made;
  }

  toggle(name, isAlone = false) {
    const names = this.data.categories.map((one) => one.name);
    if (name === null) this.off.clear();
    else if (isAlone) this.off = new Set(names.filter((other) => other !== name));
    else if (!this.off.delete(name)) this.off.add(name);
    this.link({ off: [...this.off] });
    this.drawLegend();
    this.draw();
    this.rest();
  }

  // Tells the other plots of the same rows what has just changed here.
  link(what) {
    shared.heard.dispatchEvent(new CustomEvent("linked", { detail: { ...what, from: this } }));
  }

  follow({ from, off, view, isMoving, row, flags, selection }) {
    const { data } = this;
    if (from === this || !data || from.data.run !== data.run || from.data.n !== data.n) return;
    if (off) {
      this.off = new Set(off);
      this.drawLegend();
      this.draw();
    }
    if (view && hasBoundsOf(from.data, data)) {
      this.view = view;
      this.draw(isMoving);
    }
    if (row !== undefined) {
      this.elsewhere = row;
      this.drawOver();
    }
    if (flags && this.flags?.length === data.n) {
      this.flags.set(flags);
      this.isSelected(selection);
    }
  }

  // The flags have become those of a selection made on this page.
  isSelected(selection) {
    this.selection = selection;
    this.ours.add(selection);
    this.recount();
    // What is sent leaves before the drawing begins: the server works meanwhile.
    setTimeout(() => {
      this.renderer.setFlags(this.flags);
      this.draw();
    });
  }

  fit() {
    if (!this.isReady) return;
    this.asked = null;
    this.setView();
    this.look(false);
  }

  // Draws the view that has just been chosen, here and in linked plots.
  look(isMoving) {
    this.link({ view: this.view, isMoving });
    this.draw(isMoving);
    this.rest();
  }

  /**
   * @param {number} by
   * @param {number[]} around the pixel that stays where it is
   */
  zoom(by, [px, py] = [this.width / 2, this.height / 2]) {
    if (!this.isReady) return;
    const all = this.fitted();
    const unit = Math.min(Math.max(this.view.unit / by, all / 5000), 3 * all);
    const [dx, dy] = [px - this.width / 2, this.height / 2 - py];
    this.view = { x: this.view.x + dx * (this.view.unit - unit), y: this.view.y + dy * (this.view.unit - unit), unit };
    this.look(true);
  }

  move(dx, dy) {
    if (!this.isReady) return;
    const { x, y, unit } = this.view;
    this.view = { x: x - dx * unit, y: y + dy * unit, unit };
    this.look(true);
  }

  // The address hears of the view and of what is switched off, once they rest and the page has come to who listens.
  rest() {
    clearTimeout(this.timer);
    this.timer = later(() => {
      if (!shared.tell || !this.view) {
        this.rest();
        return;
      }
      const { low } = this.data;
      const [x, y] = this.span;
      const short = (value) => Number(value.toPrecision(5));
      const view = [(this.view.x - low[0]) / x, (this.view.y - low[1]) / y, this.fitted() / this.view.unit].map(short);
      shared.tell({ view: view.join(",") === "0.5,0.5,1" ? null : view, off: [...this.off] });
    }, REST);
  }

  // Grey context cannot be selected: what is switched off is out of the question, but keeps what it had when adding.
  select(marks, adds) {
    const { kinds } = this.palette();
    const { flags, codes } = this;
    for (let i = 0; i < marks.length; i++) flags[i] = (marks[i] && kinds[codes[i]] > 1) || (adds && flags[i]) ? 1 : 0;
    this.changed();
  }

  clear() {
    if (!this.count) return;
    this.flags.fill(0);
    this.changed();
  }

  changed() {
    const id = `b-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
    this.isSelected(id);
    this.link({ flags: this.flags, selection: id });
    const { run, n } = this.data;
    this.trigger("selected", { id, run, n, bits: packed(this.flags) });
  }
}
