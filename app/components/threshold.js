// A threshold that moves everything while it is dragged: see threshold.py. Called again on the same nodes whenever the
// data change. What does not depend on the threshold is drawn once, on canvases of its own; per event the browser
// counts by binary search and redraws lines, markers and numbers. Texts from data go through text nodes or canvases.
// The parts are joined: threshold_counts.js, threshold_drawing.js, threshold_tables.js, and this.

const PAD = 10; // pixels beside the axis of scores, for a thumb at its ends
const KEYS_REST = 300; // milliseconds after the last key, until the server hears

class Panel extends Tables {
  constructor(root) {
    super();
    this.root = root;
    this.key = null;
    this.isDragging = false;
    this.isTyping = false;
    this.unheard = []; // thresholds sent whose answer has not come
    this.told = null; // the server's threshold
    this.highlighted = null;
    this.build();
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

  // ------------------------------------------------------------------------------------------- what is there once

  build() {
    const { root } = this;
    root.replaceChildren();
    this.answer = element("p", "answer");
    this.answerParts = ["", "strong", "", "", "strong", ""].map((tag) =>
      textIn(tag ? this.answer.appendChild(element(tag)) : this.answer),
    );
    this.note = element("p", "note");
    const note = textIn(this.note);
    this.sayNote = (text) => say(note, text);
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
    this.hold.append(line, support);

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
    scores.append(element("h3", "", "How the scores are distributed"), this.rowsNote, this.rowsBox);
    const rates = element("div", "section square");
    this.ratesEmpty = element("p", "empty");
    rates.append(element("h3", "", "What a higher or lower threshold would do"), this.ratesEmpty, this.errors.box);

    this.legend = element("div", "legend");
    this.legend.setAttribute("role", "group");
    this.legend.setAttribute("aria-label", "Highlight one species");
    this.curvesEmpty = element("p", "empty");
    this.squares = element("div", "squares");
    this.planes = [
      { kind: "roc", title: "ROC", x: "BPCER (live rejected)", y: "attacks found" },
      { kind: "pr", title: "Precision and recall", x: "recall (attacks found)", y: "precision" },
      { kind: "det", title: "DET, probit axes", x: "APCER (attacks let through)", y: "BPCER (live rejected)" },
    ].map((plane) => {
      const made = { ...plane, ...layers(plane.title), square: element("div", "square") };
      made.square.append(element("h3", "", plane.title), made.box);
      this.squares.append(made.square);
      return made;
    });
    this.isAdjusted = false;
    this.adjust = element("button", "adjust");
    this.adjust.type = "button";
    this.adjust.addEventListener("click", () => {
      this.isAdjusted = !this.isAdjusted;
      this.drawPrecision();
      this.draw();
    });
    this.planes[1].square.firstChild.append(this.adjust);
    const curves = element("div", "section");
    curves.append(this.legend, this.curvesEmpty, this.squares);

    const tables = element("div", "section halves");
    this.speciesBox = element("div");
    this.decisionsBox = element("div");
    tables.append(this.speciesBox, this.decisionsBox);
    this.subsetsBox = element("div", "section");
    root.append(this.answer, this.note, this.hold, scores, rates, curves, tables, this.subsetsBox);

    this.listen();
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
      this.timer = setTimeout(() => this.tell(), KEYS_REST);
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

  // ------------------------------------------------------------------------------------------------- new data

  update({ data, setTriggerValue }) {
    this.send = setTriggerValue;
    const isNew = data.key !== this.key;
    if (this.score !== data.score || String(this.limits) !== String(data.limits)) this.unheard = []; // of another Run
    this.score = data.score;
    this.limits = data.limits;
    this.roles = data.roles;
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
    }
    this.told = threshold;
    this.prevalence = data.prevalence;
    if (this.root.getRootNode().activeElement !== this.share) {
      this.share.value = String(Number((100 * this.prevalence).toPrecision(6)));
    }
    this.drawPrecision();
    this.showRoles();
    this.showTyped();
    if (isNew || !this.width) this.layOut(true);
    else this.draw();
    this.describe();
  }

  read(made, table) {
    const bytes = table.getChild("numbers").get(0);
    const numbers = new Float64Array(bytes.slice().buffer);
    this.things = made.decisions;
    const take = ([start, length]) => numbers.subarray(start, start + length);
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

  showTyped() {
    if (this.isTyping) return;
    this.typed.setAttribute("aria-invalid", "false");
    this.typed.value = Number.isFinite(this.t) ? String(Number(this.t.toPrecision(7))) : number(this.t);
    if (!this.isDragging) this.typed.title = `Exactly ${this.t}`;
  }

  // ------------------------------------------------------------------------------------------------- what stays

  layOut(force = false) {
    const width = Math.floor(this.root.clientWidth);
    if (!this.key || !width || (width === this.width && !force)) return;
    this.width = width;
    this.left = width < 620 ? 124 : 172;
    this.right = width < 620 ? 62 : 72;
    this.root.style.setProperty("--left", `${this.left}px`);
    this.root.style.setProperty("--right", `${this.right}px`);
    this.axis = scoreAxis(this.view, this.limits, this.left + PAD, width - this.right - PAD);
    resize(this.track, width - this.left - this.right, 80);
    this.rowHeight = Math.round(Math.min(Math.max(240 / this.cells.length, 18), 36));
    resize(this.cellRows, width, this.rowHeight * this.cells.length + 24);
    resize(this.errors, width, 200);
    const perLine = width <= 480 ? 1 : width <= 760 ? 2 : 3;
    const side = Math.floor((width - 16 * (perLine - 1)) / perLine);
    for (const plane of this.planes) resize(plane, side, Math.min(perLine === 1 ? 280 : 320, Math.max(240, side)));
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

  // -------------------------------------------------------------------------------------------------- what moves

  moveTo(t) {
    this.t = t;
    this.isTyping = false;
    this.showTyped();
    this.draw();
  }

  // Everything that follows from the threshold.
  counted() {
    const above = this.cells.map((cell) => cell.scores.length - below(cell.scores, this.t));
    const rates = new Map();
    for (const group of this.groups) {
      let sum = 0;
      for (const i of group.cells) sum += above[i];
      rates.set(group, rateOf(group, sum, group.kind !== "bona_fide"));
    }
    let worst = null; // the first by name among equals
    for (const group of this.species) {
      if (rates.get(group) && (!worst || rates.get(group).value > rates.get(worst).value)) worst = group;
    }
    return { above, rates, worst };
  }

  draw() {
    if (!this.key || !this.width || !this.axis) return;
    const at = this.counted();
    this.drawAnswer(at);
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
    const attack = worst && rates.get(worst);
    const texts = [
      live ? "At this threshold " : "",
      live ? rateText(live) : "",
      live ? ` of ${grouped(live.n)} live ${this.things} are rejected` : "",
      worst ? `${live ? "; the" : "At this threshold the"} worst attack, ${worst.words}, passes ` : "",
      worst ? rateText(attack) : "",
      worst ? ` of the time (n\u00a0=\u00a0${grouped(attack.n)}).` : ".",
    ];
    texts.forEach((text, i) => say(this.answerParts[i], text));
    const known = [this.live, worst].filter((group) => group?.n);
    const counts = known.map((group, i) => {
      const by = i && known[0].by === group.by ? "" : `by ${group.by}, n = `;
      const name = group === this.live ? "live" : group.words;
      return group.band ? `${by}${grouped(group.n_units)} (${name})` : `none for ${name}: all are of one ${group.by}`;
    });
    const isSimple = known.some((group) => group.unit === "sample");
    const warning = isSimple
      ? `. The ${this.things} count as independent; those of one person are not, so the true intervals are wider`
      : "";
    const note = `In brackets: 95 % intervals ${counts.join(" and ")}${warning}.`;
    this.sayNote(note);
    this.slider.setAttribute("aria-valuetext", `${number(this.t, 6)}. ${texts.join("")}`);
    this.slider.setAttribute("aria-valuenow", String(Math.min(Math.max(this.t, this.limits[0]), this.limits[1])));
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
    return `Within ±${number(around, 2)}: ${grouped(live)} live, ${many(attacks, "attack")}.${exact}`;
  }

  // ----------------------------------------------------------------------------------------------------- at rest

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
    const { rates, above } = this.counted();
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
    for (const { still, title: name, x, y } of this.planes) {
      still.setAttribute("aria-label", `${name}, ${y} against ${x}, per species.${words}`);
    }
    this.rowsNote.textContent =
      `Score: ${this.score}; higher = more attack-like. At the right: live rejected, attacks let through. ` +
      `Each row is scaled to its own peak${this.axis?.tails.some(Boolean) ? "; outliers are in the gray ends" : ""}.`;
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
