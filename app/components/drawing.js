// A drawing that is SVG already: see drawing.py.

import { offerToSave } from "./save_offers.js";

const TITLE = /<title>.*?<\/title>/; // which a browser shows under the pointer

export default function (component) {
  const { svg, name, words, table } = component.data;
  const frame = component.parentElement.querySelector(".drawing");
  const read = new DOMParser().parseFromString(svg.replace(TITLE, ""), "image/svg+xml");
  const drawn = /** @type {any} */ (document.importNode(read.documentElement, true));
  drawn.style.maxWidth = `${1.3 * drawn.viewBox.baseVal.width}px`;
  const menu = frame.querySelector(":scope > .save");
  frame.replaceChildren(drawn, ...(menu ? [menu] : []));
  offerToSave(frame, {
    name,
    words: () => words,
    table: () => table,
    keys: () => [],
    size: () => ({ width: drawn.viewBox.baseVal.width, height: drawn.viewBox.baseVal.height }),
    draw: (context) => context.insert(drawn),
  });
}
