// The tables of the threshold component. Texts from data go through text nodes only.

import { element } from "./nodes.js";
import { grouped } from "./numbers.js";
import { below, digitsOf, many, notAbove, percent, rateOf, rateText, source } from "./threshold_counts.js";
import { abbreviation, liveText, say, textIn } from "./threshold_nodes.js";
import { Planes } from "./threshold_planes.js";

const ROW = 30; // pixels of a table's row, as in threshold.css
const BAR = 90; // and of the bar in it

const APCER = "Attack presentation classification error rate: the share of attacks of a species that pass as live.";
const INDEPENDENT = "What the interval takes for independent: as many people, videos or images as can be told apart.";
const AUC = "The share of pairs of an attack and a live sample in which the attack has the higher score.";
const BPCER = "Bona fide presentation classification error rate: the share of live samples rejected as attacks.";

const LETTER = 6.3; // pixels of a number's, as wide as they come
const BESIDE = 12; // and between two columns

// A column's width for its longest text, which may be of millions.
const roomFor = (texts, least) =>
  Math.max(least, Math.ceil(BESIDE + LETTER * Math.max(...texts.map((text) => text.length))));

export class Tables extends Planes {
  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.speciesBox = element("div");
    this.decisionsBox = element("div");
    this.subsetsBox = element("div", "section");
    /** @type {any[]} */
    this.subsets = [];
    /** @type {Record<string, string>} what a subset is used for */
    this.roles = {};
    /** @type {[number, number]} of thresholds */
    this.limits = null;
    /** @type {string[]} species that somebody fears */
    this.pinned = [];
    /** @type {(name: string, value: unknown) => void} tells the server */
    this.send = () => {};
  }

  buildTables() {
    this.buildSpecies();
    this.buildDecisions();
    this.buildSubsets();
  }

  buildSpecies() {
    this.speciesBox.replaceChildren(element("h2", "", "Attacks by species, worst first"));
    this.speciesRows = [];
    if (this.species.length) {
      const through = this.species.map(({ n }) => `${grouped(n)} of ${grouped(n)}`);
      const by = this.species.map((group) => many(group.n_units, group.by));
      const { table, body } = this.table(this.speciesBox, [
        ["Species", 132],
        [abbreviation("APCER", APCER), 128],
        ["", BAR + 12, "extra"],
        ["Let through", roomFor(through, 100), "number"],
        [abbreviation("Interval by", INDEPENDENT), roomFor(by, 92), "number more"],
        [abbreviation("AUC", AUC), 44, "number extra"],
      ]);
      table.setAttribute("aria-label", "APCER per species at this threshold, worst first");
      this.speciesBody = body;
      this.speciesRows = this.species.map((group, place) => {
        const { row, cells } = this.row(body, ["", "", "extra", "number", "number more", "number extra"]);
        row.style.setProperty("--chip", group.colour);
        const pin = this.pinButton(group);
        cells[0].append(pin, element("span", "chip"), group.words);
        cells[0].title = group.words;
        const bar = element("div", "bar");
        const range = element("i", "range");
        const point = element("i", "point");
        bar.append(range, point);
        cells[2].append(bar);
        cells[4].textContent = group.n ? many(group.n_units, group.by) : "";
        cells[5].textContent = group.auc === null ? "–" : group.auc.toFixed(group.n < 200 ? 2 : 3);
        const count = this.opens(cells[3], { verdict: "missed", label: "attack", species: group.name });
        return { row, place, range, point, pin, rate: liveText(cells[1]), count };
      });
    } else this.speciesBox.append(element("p", "empty", "The reported subsets hold no attack."));
  }

  // Whoever fears a species pins it: it leads the sentences, and stays in sight.
  pinButton(group) {
    const pin = element("button", "pin");
    pin.type = "button";
    pin.setAttribute("aria-label", `Pin ${group.words}`);
    pin.addEventListener("click", () => {
      const isPinned = this.pinned.includes(group.name);
      const others = this.pinned.filter((name) => name !== group.name);
      this.send("pinned", isPinned ? others : [...others, group.name]);
    });
    return pin;
  }

  showPins() {
    this.speciesRows.forEach(({ pin }, i) => {
      const isPinned = this.pinned.includes(this.species[i].name);
      pin.setAttribute("aria-pressed", String(isPinned));
      pin.textContent = isPinned ? "\u2605" : "\u2606";
      pin.title = isPinned
        ? "Pinned: it leads the sentences above. Click to let it go."
        : "Pin: it leads the sentences above.";
    });
  }

  // A count that opens the samples it counts: live text in a button.
  opens(parent, samples) {
    const button = element("button", "opens");
    button.type = "button";
    button.title = "Open these samples";
    button.addEventListener("click", () => this.send("open", { subset: null, ...samples, threshold: this.t }));
    parent.append(button);
    return liveText(button);
  }

  buildSubsets() {
    this.subsetsBox.replaceChildren(element("h2", "", "Every subset at this threshold"));
    const { body } = this.table(this.subsetsBox, [
      ["Subset", 120],
      ["Used for", 160],
      [abbreviation("BPCER", BPCER), 128],
      ["Live", 72, "number"],
      ["Worst APCER", 136],
      ["of species", 112],
      ["Its attacks", 76, "number"],
      ["All attacks", 76, "number"],
      ["No score", 68, "number"],
    ]);
    this.subsetRows = this.subsets.map((subset) => {
      const { cells } = this.row(body, ["", "", "", "number", "", "", "number", "number", "number"]);
      cells[0].textContent = cells[0].title = subset.words;
      const opened = (at, label) => this.opens(cells[at], { verdict: null, label, species: null, subset: subset.name });
      const count = (members) => grouped(members.reduce((sum, { cell }) => sum + cell.n, 0));
      opened(3, "bona_fide").data = count(subset.live);
      opened(7, "attack").data = count(subset.attacks);
      const all = [...subset.live, ...subset.attacks];
      cells[8].textContent = grouped(all.reduce((sum, { cell }) => sum + cell.missing, 0));
      if (subset.live.length) cells[2].title = source(subset.live[0].cell);
      const mark = element("span", "chip none");
      const worst = liveText(cells[5]);
      worst.before(mark);
      const [bpcer, apcer, n] = [2, 4, 6].map((i) => liveText(cells[i]));
      const shown = undefined; // the cell of the worst species
      return { shown, apcerCell: cells[4], role: textIn(cells[1]), bpcer, apcer, worst, n, mark };
    });
  }

  buildDecisions() {
    const box = this.decisionsBox;
    box.replaceChildren(element("h2", "", "Decisions"));
    const { body } = this.table(box, [
      ["Reported", 64],
      ["called live", 136, "number"],
      ["called attack", 136, "number"],
    ]);
    this.decisions = ["live", "attacks"].map((name) => {
      const { cells } = this.row(body, ["", "number", "number"]);
      cells[0].textContent = name;
      const [label, passed, stopped] =
        name === "live" ? ["bona_fide", "right", "rejected"] : ["attack", "missed", "right"];
      return {
        passed: this.opens(cells[1], { verdict: passed, label, species: null }),
        stopped: this.opens(cells[2], { verdict: stopped, label, species: null }),
      };
    });
    const list = element("dl");
    const entry = (label, title) => {
      const term = element("dt");
      if (title) term.append(abbreviation(label, title));
      else term.append(document.createTextNode(label));
      const value = element("dd");
      list.append(term, value);
      return { term, value: liveText(value) };
    };
    this.facts = {
      acer: entry("ACER", "Mean of BPCER and the worst APCER; its bounds are the means of theirs.").value,
      found: entry("Attacks found", "1 − APCER of all attacks together: the recall.").value,
      sampled: entry(
        "Precision in these samples",
        "The share of alarms that are attacks; it depends on how many attacks were collected.",
      ).value,
    };
    const stated = entry("Precision if ");
    this.share = this.shareInput();
    stated.term.append(this.share, document.createTextNode(" % attacks"));
    stated.term.title =
      "The share of alarms that are attacks, in use, where attacks are this frequent; its bounds combine those of " +
      "both error rates.";
    this.facts.stated = stated.value;
    const missing = (group) => group.cells.reduce((sum, i) => sum + this.cells[i].missing, 0);
    const why = "What could not be read or has no score: part of no rate, never taken for live.";
    const counts = `${grouped(missing(this.live))} live, ${many(missing(this.all), "attack")}`;
    entry("Without a score", why).value.data = counts;
    const infinite = this.infiniteText();
    if (infinite) entry("Infinite scores").value.data = infinite;
    box.append(list);
  }

  shareInput() {
    const share = element("input");
    share.type = "number";
    share.min = "0.0001";
    share.max = "99.9999";
    share.step = "any";
    share.setAttribute("aria-label", "Percent of presentations that are attacks");
    return share;
  }

  infiniteText() {
    let [top, bottom] = [0, 0];
    for (const scores of this.reportedScores) {
      top += scores.length - below(scores, Infinity);
      bottom += notAbove(scores, -Infinity);
    }
    return top + bottom ? `${grouped(top)} at +∞, ${grouped(bottom)} at −∞` : "";
  }

  // A table whose columns keep their widths: `heads` are [text or element, pixels, class].
  table(box, heads) {
    const scrolls = element("div", "scrolls");
    const table = element("table");
    const widths = (columns) => columns.reduce((sum, [, width]) => sum + width, 0);
    table.style.setProperty("--wide", `${widths(heads)}px`);
    table.style.setProperty("--narrow", `${widths(heads.filter(([, , kind]) => !kind?.includes("extra")))}px`);
    const row = element("tr");
    for (const [head, width, kind] of heads) {
      const cell = element("th", kind ?? "");
      cell.scope = "col";
      cell.style.width = `${width}px`;
      cell.append(head);
      row.append(cell);
    }
    const top = element("thead");
    const body = element("tbody");
    top.append(row);
    table.append(top, body);
    scrolls.append(table);
    box.append(scrolls);
    return { table, body };
  }

  row(body, kinds) {
    const row = element("tr");
    const cells = kinds.map((kind) => element("td", kind));
    row.append(...cells);
    body.append(row);
    return { row, cells };
  }

  showRoles() {
    this.subsetRows.forEach((row, i) => say(row.role, this.roles[this.subsets[i].name] ?? ""));
  }

  // Rows stay in order of name and are shifted to their rank; the document follows when the threshold rests.
  drawSpecies({ rates }) {
    const ranked = this.ranked(rates);
    this.species.forEach((group, i) => {
      const row = this.speciesRows[i];
      const rate = rates.get(group);
      const [low, high] = rate?.interval ?? [0, 0];
      row.row.style.transform = `translateY(${ROW * (ranked.indexOf(group) - row.place)}px)`;
      row.range.style.transform = `translateX(${BAR * low}px) scaleX(${high - low})`;
      row.point.style.transform = `translateX(${rate ? (BAR - 4) * rate.value : -10}px)`;
      say(row.rate, rateText(rate));
      say(row.count, rate ? `${grouped(rate.errors)} of ${grouped(rate.n)}` : "no score");
    });
  }

  // Species, worst first; by name among equals.
  ranked(rates) {
    const value = (group) => rates.get(group)?.value ?? -1;
    return [...this.species].sort((a, b) => value(b) - value(a));
  }

  reorderSpecies(rates) {
    this.ranked(rates).forEach((group, place) => {
      const row = this.speciesRows[this.species.indexOf(group)];
      row.place = place;
      const there = this.speciesBody.children[place];
      if (there !== row.row) this.speciesBody.insertBefore(row.row, there);
      row.row.style.transform = "";
    });
  }

  drawDecisions({ rates }) {
    const [live, all] = [rates.get(this.live), rates.get(this.all)];
    const worst = this.species.length ? rates.get(this.ranked(rates)[0]) : null;
    const decide = (row, passed, n) => {
      say(row.passed, n ? `${grouped(passed)} (${percent(passed / n, digitsOf(n))})` : "–");
      say(row.stopped, n ? `${grouped(n - passed)} (${percent(1 - passed / n, digitsOf(n))})` : "–");
    };
    decide(this.decisions[0], live ? live.n - live.errors : 0, live?.n);
    decide(this.decisions[1], all ? all.errors : 0, all?.n);

    // A number that one or two rates give, and the bounds that theirs give.
    const told = (digits, of, ...given) => {
      if (given.some((rate) => !rate)) return "–";
      const value = percent(of(...given.map((rate) => rate.value)), digits);
      if (given.some((rate) => !rate.interval)) return value;
      const ends = [0, 1].map((end) => 100 * of(...given.map((rate) => rate.interval[end])));
      const [low, high] = ends.sort((a, b) => a - b).map((end) => end.toFixed(digits));
      return `${value} (${low}–${high})`;
    };
    const least = (...given) => digitsOf(Math.min(...given.map((rate) => rate?.trials ?? 0)));
    const alarms = live && all ? live.errors + all.n - all.errors : 0;
    const precision = (bpcer, apcer) => {
      const [found, rejected] = [this.prevalence * (1 - apcer), (1 - this.prevalence) * bpcer];
      return found / (found + rejected);
    };
    const { acer, found, sampled, stated } = this.facts;
    say(
      acer,
      told(least(live, worst), (bpcer, apcer) => (bpcer + apcer) / 2, live, worst),
    );
    say(
      found,
      told(least(all), (apcer) => 1 - apcer, all),
    );
    const share = () => percent((all.n - all.errors) / alarms, digitsOf(alarms));
    say(sampled, alarms ? `${share()} of ${many(alarms, "alarm")}` : "–");
    say(stated, alarms ? told(least(live, all) + 1, precision, live, all) : "–"); // often small
  }

  drawSubsets({ above }) {
    this.subsets.forEach((subset, s) => {
      const row = this.subsetRows[s];
      const live = subset.live[0];
      say(row.bpcer, rateText(live ? rateOf(live.cell, above[live.i], false) : null));
      let worst = null;
      for (const { cell, i } of subset.attacks) {
        const rate = rateOf(cell, above[i], true);
        if (rate && (!worst || rate.value > worst.rate.value)) worst = { cell, rate };
      }
      say(row.apcer, rateText(worst && worst.rate));
      if (row.shown === worst?.cell) return;
      row.shown = worst?.cell;
      row.apcerCell.title = worst ? source(worst.cell) : "";
      say(row.worst, worst ? worst.cell.species_words : "");
      row.mark.className = worst ? (worst.cell.hollow ? "chip hollow" : "chip") : "chip none";
      if (worst) row.mark.style.setProperty("--chip", worst.cell.colour);
      say(row.n, worst ? grouped(worst.rate.n) : "");
    });
  }
}
