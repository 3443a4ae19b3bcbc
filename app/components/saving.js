// A menu on every chart of the page that saves it as SVG, PNG and CSV, and a button on every table that saves it as CSV:
// see saving.py. Nothing is asked of the server but a table.

import { chartIn, drawingOfChart, tableOfChart } from "./save_echarts.js";
import { offers } from "./save_offers.js";
import { drawingOfPlot, tableOfPlot } from "./save_plotly.js";
import { drawingOf, pngOf, svgOf } from "./save_picture.js";
import { csvOf, fileName } from "./save_text.js";
import { element } from "./nodes.js";

const PAUSE = 150; // milliseconds that a page is left to settle before new charts are looked for
const ICON =
  "M18 15v3H6v-3H4v3c0 1.1.9 2 2 2h12c1.1 0 2-.9 2-2v-3h-2zm-1-4-1.41-1.41L13 12.17V4h-2v8.17L8.41 9.59 7 11l5 5 5-5z";
const TOOLBAR = "[data-testid=stElementToolbarButtonContainer]";

// One for all mounts of this script: whose charts these are, and the styles of the menus.
const page = (globalThis.fasSaving ??= { source: "", name: "", sheet: null, isWaiting: false });

/**
 * What a menu saves.
 * @typedef {{
 *   name: () => string, words: () => string, table: () => { heads: string[], rows: Iterable<any[]> },
 *   drawing: () => { body: string, width: number, height: number, keys?: import("./save_offers.js").Key[] },
 * }} Saved
 */

/** @type {Record<string, (chart: Saved) => BlobPart | Promise<BlobPart>>} */
const CONTENTS = { SVG: svgText, PNG: (chart) => pngOf(svgText(chart)), CSV: (chart) => csvOf(chart.table()) };
const KINDS = { SVG: "image/svg+xml", PNG: "image/png", CSV: "text/csv" };

function svgText(chart) {
  return svgOf(chart.drawing(), chart.words(), page.source);
}

async function save(chart, kind) {
  const content = await CONTENTS[kind](chart);
  const here = window.location.pathname.split("/").at(-1) || "overview";
  const link = element("a");
  link.href = URL.createObjectURL(new Blob([content], { type: KINDS[kind] }));
  link.download = `${fileName([here, chart.name(), page.name])}.${kind.toLowerCase()}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// -------------------------------------------------------------------------------------------------------- its nodes

function opener(label) {
  const made = element("button", "save-open");
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.title = label;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICON);
  svg.append(path);
  made.append(svg);
  return made;
}

// In a place of the page or of a component, which has styles of its own.
function put(host, place) {
  place.append(host);
  const root = /** @type {Document | ShadowRoot} */ (host.getRootNode());
  if (!root.adoptedStyleSheets.includes(page.sheet)) root.adoptedStyleSheets.push(page.sheet);
}

/** @param {Saved} chart */
function menuOf(chart) {
  const host = element("div", "save");
  const button = opener("Save this chart");
  button.setAttribute("aria-haspopup", "menu");
  const list = element("div", "save-list");
  list.setAttribute("role", "menu");
  list.setAttribute("aria-label", "Save as");
  const items = Object.keys(CONTENTS).map((kind) => {
    const item = element("button", "", kind);
    item.type = "button";
    item.setAttribute("role", "menuitem");
    item.tabIndex = -1;
    item.addEventListener("click", () => {
      open(false);
      button.focus();
      save(chart, kind);
    });
    return item;
  });
  const open = (isOpen) => {
    list.hidden = !isOpen;
    button.setAttribute("aria-expanded", String(isOpen));
    host.classList.toggle("opened", isOpen);
    const { color, backgroundColor } = getComputedStyle(document.querySelector(".stApp") ?? document.body);
    list.style.color = color;
    list.style.backgroundColor = backgroundColor;
    if (isOpen) items[0].focus();
  };
  open(false);
  button.addEventListener("click", () => open(list.hidden));
  host.addEventListener("keydown", (event) => press(event, list, items, open, button));
  host.addEventListener("focusout", (event) => {
    if (!host.contains(/** @type {Node} */ (event.relatedTarget))) open(false);
  });
  for (const kind of ["pointerdown", "pointermove", "click"])
    host.addEventListener(kind, (event) => event.stopPropagation());
  list.append(...items);
  host.append(button, list);
  return host;
}

// Keys in a menu are nobody else's.
function press(event, list, items, open, button) {
  event.stopPropagation();
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by) {
    event.preventDefault();
    const at = items.indexOf(event.target);
    if (list.hidden) open(true);
    else items.at((at + by) % items.length).focus();
  } else if (event.key === "Escape" && !list.hidden) {
    open(false);
    button.focus();
  }
}

// ------------------------------------------------------------------------------------------------------ where they are

function keyOf(node, prefix = "") {
  const names = [...node.classList].filter((name) => name.startsWith(`st-key-${prefix}`));
  return names.length ? names[0].slice(`st-key-${prefix}`.length) : "";
}

// The toolbar of an element of Streamlit's, where it has no menu yet.
function toolbarOf(node) {
  const place = node.closest("[data-testid=stFullScreenFrame]")?.querySelector(TOOLBAR);
  return place?.querySelector(":scope > .save") ? null : place;
}

function attachToCharts() {
  for (const node of document.querySelectorAll(".stEChartsChart")) {
    const place = toolbarOf(node);
    if (!place || !chartIn(node)) continue;
    const chart = {
      name: () => keyOf(node.closest("[data-testid=stElementContainer]")),
      words: () => node.getAttribute("aria-label") ?? "",
      table: () => tableOfChart(chartIn(node)),
      drawing: () => drawingOfChart(chartIn(node)),
    };
    put(menuOf(chart), place);
  }
}

function attachToPlots() {
  for (const place of document.querySelectorAll("[data-testid=stPlotlyChart]")) {
    const plot = place.querySelector(".js-plotly-plot");
    if (!(/** @type {any} */ (plot)?._fullData) || place.querySelector(":scope > .save")) continue;
    const chart = {
      name: () => keyOf(place.closest("[data-testid=stElementContainer]")),
      words: () => place.getAttribute("aria-label") ?? "",
      table: () => tableOfPlot(plot),
      drawing: () => drawingOfPlot(plot),
    };
    put(menuOf(chart), place);
  }
}

// The server has the table: its own button, which is not seen, asks for it.
function attachToTables() {
  for (const node of document.querySelectorAll("[class*=st-key-table_] [data-testid=stDataFrame]")) {
    const place = toolbarOf(node);
    if (!place) continue;
    const button = opener("Save this table as CSV");
    button.addEventListener("click", (event) => {
      event.stopPropagation();
      const saves = node.closest("[class*=st-key-table_]").querySelector("[class*=st-key-csv_] button");
      /** @type {HTMLButtonElement} */ (saves)?.click();
    });
    const host = element("div", "save");
    host.append(button);
    put(host, place);
  }
}

function attachToOffers() {
  for (const [frame, offer] of offers.of) {
    if (!frame.isConnected) offers.of.delete(frame);
    else if (!frame.querySelector(":scope > .save")) {
      const { words, table } = offer;
      put(menuOf({ name: () => offer.name, words, table, drawing: () => drawingOf(offer) }), frame);
    }
  }
}

function attach() {
  if (page.isWaiting) return;
  page.isWaiting = true;
  setTimeout(() => {
    page.isWaiting = false;
    attachToCharts();
    attachToPlots();
    attachToTables();
    attachToOffers();
  }, PAUSE);
}

export default function (component) {
  const { name, source, styles } = component.data;
  Object.assign(page, { name, source });
  attach();
  if (page.sheet) return;
  page.sheet = new CSSStyleSheet();
  page.sheet.replaceSync(styles);
  document.adoptedStyleSheets.push(page.sheet);
  new MutationObserver(attach).observe(document.body, { childList: true, subtree: true });
  offers.heard.addEventListener("offer", attach);
}
