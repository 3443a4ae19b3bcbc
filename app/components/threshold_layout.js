// What the threshold component's parts are, and drawing all of them.

import { element } from "./nodes.js";
import { grouped } from "./numbers.js";
import { NBSP, counted, number, percentBeside, rateText, scoreAxis } from "./threshold_counts.js";
import { layers, resize } from "./threshold_drawing.js";
import { chip, say, textIn } from "./threshold_nodes.js";
import { Verdict } from "./threshold_verdict.js";

const PAD = 10; // pixels beside the axis of scores, for a thumb at its ends
const WIDE = 900; // pixels from which on charts stand beside tables and planes
const GAP = 28; // between the two columns
const LEFT_SHARE = 0.58; // of the width, for the column of the charts that share the axis of scores
const PINS = 3; // species in the answer, besides the worst

export class Layout extends Verdict {
  build() {
    const { root } = this;
    root.replaceChildren();
    this.buildAnswer();
    this.buildHold();
    const charts = element("div", "column");
    charts.append(...this.buildScores());
    const judged = element("div", "column");
    judged.append(this.speciesBox, this.buildCurves());
    const columns = element("div", "columns");
    columns.append(charts, judged);
    const tables = element("div", "section tables");
    tables.append(this.decisionsBox, this.subsetsBox);
    root.append(this.answer, this.hold, this.note, columns, tables);
  }

  buildAnswer() {
    this.answer = element("p", "answer");
    // Plain and strong words in turn: of live samples, of pinned species, of the worst, and the end.
    this.answerParts = Array.from({ length: 2 * (PINS + 2) + 1 }, (_, i) =>
      textIn(i % 2 ? this.answer.appendChild(element("strong")) : this.answer),
    );
    this.note = element("p", "note");
    const note = textIn(this.note);
    this.sayNote = (text) => say(note, text);
  }

  // The threshold as a number and as a slider.
  buildHold() {
    this.hold = element("div", "hold");
    const line = element("div", "line");
    const field = element("label", "", "Threshold");
    this.typed = element("input");
    this.typed.type = "text";
    this.typed.inputMode = "decimal";
    this.typed.autocomplete = "off";
    this.typed.setAttribute("aria-label", "Threshold");
    field.append(this.typed);
    this.slider = element("div", "slider drags");
    this.slider.tabIndex = 0;
    this.slider.setAttribute("role", "slider");
    this.slider.setAttribute("aria-label", "Threshold");
    this.slider.title = "Arrow keys: to the next score. With Shift: ten scores.";
    this.track = layers("");
    this.track.still.setAttribute("aria-hidden", "true");
    this.slider.append(this.track.box);
    line.append(field, this.slider);
    const support = element("div", "support quiet");
    const nearest = element("span");
    const waiting = element("span", "waiting");
    support.append(nearest, waiting);
    this.nearest = textIn(nearest);
    this.waiting = textIn(waiting);
    const setting = element("div");
    setting.append(line, support);
    const decided = element("div", "decided");
    decided.append(this.verdict, this.freeze);
    this.hold.append(setting, decided);
    this.freeze.addEventListener("click", () => this.send("freeze", this.t));
  }

  buildScores() {
    this.cellRows = layers("Histograms of the scores per subset and species");
    this.rowsBox = element("div", "rows");
    this.rowsBox.tabIndex = 0; // scrolls where there are many
    this.rowsBox.setAttribute("role", "region");
    this.rowsBox.setAttribute("aria-label", "Histograms");
    this.rowsBox.append(this.cellRows.box);
    this.cellRows.box.classList.add("drags");
    this.errors = layers("BPCER and APCER of every species against the threshold");
    this.errors.box.classList.add("drags");
    const scores = element("div", "section");
    this.rowsNote = element("p", "quiet");
    scores.append(element("h2", "", "How the scores are distributed"), this.rowsNote, this.rowsBox);
    const rates = element("div", "section square");
    this.ratesEmpty = element("p", "empty");
    rates.append(element("h2", "", "What a higher or lower threshold would do"), this.ratesEmpty, this.errors.box);
    return [scores, rates];
  }

  buildCurves() {
    this.legend = element("div", "legend");
    this.legend.setAttribute("role", "group");
    this.legend.setAttribute("aria-label", "Highlight one species");
    this.curvesEmpty = element("p", "empty");
    this.squares = element("div", "squares");
    const choice = element("div", "choice");
    choice.setAttribute("role", "group");
    choice.setAttribute("aria-label", "Which curves are drawn");
    this.planes = [
      { kind: "roc", title: "ROC", short: "ROC", across: "BPCER (live rejected)", up: "attacks found" },
      { kind: "pr", title: "Precision and recall", short: "PR", across: "recall (attacks found)", up: "precision" },
      {
        kind: "det",
        title: "DET, probit axes",
        short: "DET",
        across: "APCER (attacks let through)",
        up: "BPCER (live rejected)",
      },
    ].map((plane) => {
      const head = element("h2");
      head.append(element("span", "", plane.title));
      const made = { ...plane, ...layers(plane.title), head };
      const square = element("div", "square");
      const button = element("button", "", plane.short);
      button.type = "button";
      button.title = plane.title;
      button.addEventListener("click", () => this.send("plane", plane.kind));
      choice.append(button);
      square.append(made.head, made.box);
      this.squares.append(square);
      return { ...made, square, button };
    });
    this.adjust.type = "button";
    this.adjust.addEventListener("click", () => {
      this.isAdjusted = !this.isAdjusted;
      this.drawPrecision();
      this.draw();
    });
    this.planes[1].head.append(this.adjust);
    const curves = element("div", "section");
    curves.append(choice, this.legend, this.curvesEmpty, this.squares);
    return curves;
  }

  // One plane is shown where charts stand beside each other, and all three where they do not.
  showPlane(kind) {
    for (const plane of this.planes) {
      const isShown = plane.kind === kind;
      plane.square.classList.toggle("chosen", isShown);
      plane.button.setAttribute("aria-pressed", String(isShown));
    }
  }

  read(made, table) {
    const { buffer } = table.getChild("numbers").get(0).slice(); // from where it may lie, to the start of its own
    this.things = made.decisions;
    const take = ([start, length, bytes]) => new (bytes === 4 ? Float32Array : Float64Array)(buffer, 8 * start, length);
    const taken = (arrays) =>
      arrays && Object.fromEntries(Object.entries(arrays).map(([name, at]) => [name, take(at)]));
    const units = (thing) => (thing.unit === "sample" ? made.decisions.replace(/s$/, "") : thing.unit); // each by itself
    const read = (thing) => ({ ...thing, by: units(thing), band: taken(thing.band) });
    this.cells = made.cells.map((cell) => ({ ...read(cell), scores: take(cell.scores) }));
    this.groups = made.groups.map((group) => ({ ...read(group), curve: taken(group.curve) }));
    this.live = this.groups[0];
    this.all = this.groups.at(-1);
    this.species = this.groups.slice(1, -1);
    this.subsets = made.subsets.map((subset) => {
      const cells = this.cells.map((cell, i) => ({ cell, i })).filter(({ cell }) => cell.subset === subset.name);
      const isLive = ({ cell }) => cell.species === "";
      return { ...subset, live: cells.filter(isLive), attacks: cells.filter((one) => !isLive(one)) };
    });
    this.reported = made.reported;
    this.view = made.view;
    this.neutral = made.neutral;
    this.reportedScores = this.cells.filter((cell) => made.reported.includes(cell.subset)).map((cell) => cell.scores);
    const together = this.groups.slice(1).filter((group) => group.curve);
    // One species: its curve and that of all attacks are the same.
    this.drawn = this.species.length === 1 ? together.filter((group) => group.kind === "species") : together;
    const lacks = !this.live.n ? "no live sample" : !this.all.n ? "no attack" : "";
    this.curvesEmpty.textContent = lacks
      ? `The reported subsets hold ${lacks} with a score, so there are no curves: each needs both. ` +
        "Choose more subsets in the sidebar."
      : "";
    this.curvesEmpty.hidden = this.ratesEmpty.hidden = !lacks;
    this.ratesEmpty.textContent = this.curvesEmpty.textContent;
    this.squares.hidden = this.errors.box.hidden = this.legend.hidden = Boolean(lacks);
    this.squares.style.display = lacks ? "none" : "";
    this.legend.style.display = lacks ? "none" : "";
    this.buildLegend();
  }

  buildLegend() {
    this.legend.replaceChildren();
    const shown = [this.live, ...this.drawn];
    for (const group of shown) {
      const button = element("button");
      button.type = "button";
      button.append(chip(group), document.createTextNode(group.words));
      button.setAttribute("aria-pressed", "false");
      button.title = `Highlight ${group.words}`;
      button.addEventListener("click", () => {
        this.highlighted = this.highlighted === group ? null : group;
        [...this.legend.children].forEach((one, i) => {
          one.setAttribute("aria-pressed", String(shown[i] === this.highlighted));
        });
        this.drawStill();
      });
      this.legend.append(button);
    }
  }

  layOut(force = false) {
    const width = Math.floor(this.root.clientWidth);
    if (!this.key || !width || (width === this.width && !force)) return;
    this.width = width;
    const isWide = width >= WIDE;
    this.root.classList.toggle("wide", isWide);
    const column = isWide ? Math.floor(LEFT_SHARE * (width - GAP)) : width;
    this.column = column;
    this.left = column < 560 ? 124 : 148;
    this.right = column < 560 ? 62 : 72;
    for (const name of ["left", "right", "column"]) this.root.style.setProperty(`--${name}`, `${this[name]}px`);
    this.root.style.setProperty("--gap", `${GAP}px`);
    this.axis = scoreAxis(this.view, this.limits, this.left + PAD, column - this.right - PAD);
    resize(this.track, column - this.left - this.right, 80);
    this.rowHeight = Math.round(Math.min(Math.max(216 / this.cells.length, 16), 36));
    resize(this.cellRows, column, this.rowHeight * this.cells.length + 24);
    resize(this.errors, column, isWide ? 184 : 200);
    const [across, perLine] = isWide ? [width - column - GAP, 1] : [width, width <= 480 ? 1 : width <= 760 ? 2 : 3];
    const side = Math.floor((across - 16 * (perLine - 1)) / perLine);
    for (const plane of this.planes) resize(plane, side, Math.min(perLine === 1 ? 272 : 320, Math.max(240, side)));
    this.drawStill();
  }

  drawStill() {
    if (!this.key || !this.width) return;
    this.readTheme();
    this.drawTrack();
    this.drawCells();
    if (this.drawn.length) {
      this.drawErrors();
      this.planes.forEach((plane) => this.drawPlane(plane));
    }
    this.draw();
  }

  draw() {
    if (!this.key || !this.width || !this.axis) return;
    const at = counted(this, this.t);
    this.drawAnswer(at);
    this.drawVerdict(at);
    this.drawSlider();
    this.drawOverCells(at);
    if (this.drawn.length) {
      this.drawOverErrors(at);
      this.planes.forEach((plane) => this.drawOverPlane(plane, at));
    }
    this.drawSpecies(at);
    this.drawDecisions(at);
    this.drawSubsets(at);
  }

  drawAnswer({ rates, worst }) {
    const live = rates.get(this.live);
    const ofLive = () => {
      const held = this.heldOf(this.live, worst, rates);
      const said = held ? percentBeside(live, this.limit.at_most) : rateText(live);
      return [said, ` of ${grouped(live.n)} live ${this.things} are rejected${held ? `, ${held.words}` : ""}`];
    };
    const [said, after] = live ? ofLive() : ["", ""];
    const texts = ["At this threshold ", said, after];
    const lead = live ? "; " : "";
    const pinned = this.species.filter((group) => this.pinned.includes(group.name) && group !== worst).slice(0, PINS);
    const species = [...pinned, ...(worst ? [worst] : [])];
    species.forEach((group, i) => {
      const name = group === worst ? `the worst attack, ${group.words},` : group.words;
      const rate = rates.get(group);
      texts[texts.length - 1] += `${i ? ", " : lead}${name} passes `;
      texts.push(rateText(rate), rate ? ` of the time (n${NBSP}=${NBSP}${grouped(rate.n)})` : "");
    });
    texts[texts.length - 1] += ".";
    while (texts.length < this.answerParts.length) texts.push("");
    texts.forEach((text, i) => say(this.answerParts[i], text));
    const known = [this.live, worst].filter((group) => group?.n);
    const counts = known.map((group, i) => {
      const by = i && known[0].by === group.by ? "" : `by ${group.by}, n = `;
      const name = group === this.live ? "live" : group.words;
      return group.band ? `${by}${grouped(group.n_units)} (${name})` : `none for ${name}: all are of one ${group.by}`;
    });
    const isSimple = known.some((group) => group.unit === "sample");
    const warning = isSimple
      ? `; the ${this.things} of one person count as independent, so true intervals are wider`
      : "";
    const note = `In brackets: 95 % intervals ${counts.join(" and ")}${warning}.`;
    this.sayNote(note);
    this.slider.setAttribute("aria-valuetext", `${number(this.t, 6)}. ${texts.join("")}`);
    this.slider.setAttribute("aria-valuenow", String(Math.min(Math.max(this.t, this.limits[0]), this.limits[1])));
  }
}
