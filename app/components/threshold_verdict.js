// What the threshold component keeps in sight while the page is scrolled: whether the limit holds, the pinned species,
// the worst one, and the way to freeze it.

import { element } from "./nodes.js";
import { heldWords, percentBeside, rateText, standing } from "./threshold_counts.js";
import { chip, say, textIn } from "./threshold_nodes.js";
import { Tables } from "./threshold_tables.js";

/** @typedef {{ rate: "bpcer" | "apcer", species: string, at_most: number, at_95: boolean }} Limit */

const BOUNDS = "The upper bound is one-sided, at 95 %; the interval in brackets leaves 2.5 % out on either side.";

export class Verdict extends Tables {
  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    /** @type {Limit} what was asked for; null where no rule has a limit */
    this.limit = null;
    this.verdict = element("ul", "verdict");
    this.verdict.setAttribute("aria-label", "What this threshold does");
    /** @type {any[]} the lines: live, pinned species, the worst */
    this.verdictLines = [];
    this.freeze = element("button", "freeze", "Freeze");
    this.freeze.type = "button";
    this.freeze.title = "Keep this threshold as an operating point: with its rule, its data, its errors and your name.";
  }

  // Lines for live samples, every pinned species, and the worst: as many as there may be, so that nothing jumps.
  buildVerdict() {
    this.verdict.replaceChildren();
    const pinned = this.species.filter((group) => this.pinned.includes(group.name));
    const hasOther = this.species.length > pinned.length || !pinned.length;
    const groups = [...(this.live.n ? [this.live] : []), ...pinned, ...(this.species.length && hasOther ? [null] : [])];
    this.verdictLines = groups.map((group) => {
      const item = element("li");
      const mark = item.appendChild(chip(group ?? { colour: "transparent" }));
      const name = textIn(item.appendChild(element("span", "who")));
      const rate = textIn(item.appendChild(element("strong")));
      const held = element("span", "held");
      held.title = BOUNDS;
      const words = textIn(held);
      item.append(held);
      this.verdict.append(item);
      return { group, mark, name, rate, held, words };
    });
  }

  drawVerdict({ rates, worst }) {
    for (const line of this.verdictLines) {
      const group = line.group ?? worst;
      const rate = group && rates.get(group);
      if (!line.group && worst) line.mark.style.setProperty("--chip", worst.colour);
      say(line.name, this.nameOf(line.group, group));
      const held = group && this.heldOf(group, worst, rates);
      say(line.rate, held ? percentBeside(rate, this.limit.at_most) : rateText(rate));
      line.held.hidden = !held;
      if (!held) continue;
      line.held.dataset.held = held.standing;
      say(line.words, held.words);
    }
  }

  nameOf(asked, group) {
    if (group === this.live) return "live rejected ";
    if (!group) return "no attack has a score ";
    return asked ? `${group.words} passes ` : `worst: ${group.words} passes `;
  }

  // How a group's rate stands to the limit, and in words; null where the limit is not about this group. The bound of the
  // worst species is the largest of any, as in limits.py.
  heldOf(group, worst, rates) {
    const rate = rates.get(group);
    if (!this.limit || !rate) return null;
    const isAbout =
      this.limit.rate === "bpcer"
        ? group === this.live
        : group !== this.live && (this.limit.species ? group.name === this.limit.species : group === worst);
    if (!isAbout) return null;
    const judged = group === worst && !this.limit.species ? this.species.filter((each) => rates.get(each)) : [group];
    const bounds = judged.map((each) => rates.get(each).upper);
    const upper = bounds.includes(undefined) ? undefined : Math.max(...bounds);
    const bounded = { ...rate, upper };
    const unit = judged.find((each) => each.unit !== "subject")?.unit ?? "subject";
    const held = standing(bounded, this.limit.at_most, unit);
    return { standing: held, words: heldWords(held, bounded, this.limit.at_most, unit) };
  }
}
