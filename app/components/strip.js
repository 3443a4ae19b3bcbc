// Decoded images in rows, and a line below them: see strip.py. Called again on the same nodes whenever the data change:
// canvases are reused, so nothing flickers. Texts from data go through textContent only.

import { bytesOf, number, paint, scaleBar } from "./colours.js";
import { element } from "./nodes.js";
import { ticksBetween } from "./numbers.js";

const HEIGHT = 150; // pixels, as in strip.css
const EDGE = 8; // room for points at the top and bottom
const drawn = new WeakMap(); // root -> what was drawn last, and what draws it again when the width changes

function svg(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function makeTile() {
  const tile = element("button", "tile");
  tile.type = "button";
  tile.append(element("canvas"), element("span", "caption"));
  return tile;
}

function drawTiles(tiles, data) {
  const { panels, pixels, captions, columns, chosen } = data;
  const [panel] = panels;
  tiles.style.setProperty("--columns", columns);
  while (tiles.children.length > captions.length) tiles.lastChild.remove();
  while (tiles.children.length < captions.length) tiles.append(makeTile());
  captions.forEach((lines, i) => {
    const tile = tiles.children[i];
    const [canvas, caption] = tile.children;
    paint(canvas, bytesOf(panels, pixels, 0, i), panel.width, panel.height, panel.palette);
    tile.setAttribute("aria-label", `${panel.name}: ${lines.join(", ")}`);
    tile.setAttribute("aria-current", String(i === chosen));
    tile.tabIndex = i === chosen ? 0 : -1; // one tile is in the tab order, arrows go on from there
    caption.replaceChildren(...lines.map((line) => Object.assign(element("span", "", line), { title: line })));
  });
}

// From the lowest to the highest of the points and levels, with air above and below.
function rangeOf({ values, levels }) {
  const all = [...values, ...levels.map((level) => level.value)];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const air = (high - low || Math.abs(high) || 1) * 0.12;
  return [low - air, high + air];
}

// What the points are, and what the lines across are.
function legend(line) {
  const made = element("div", "legend");
  made.append(element("span", "", line.title));
  for (const level of line.levels) {
    const name = element("span");
    const swatch = svg("svg", { width: 22, height: 8, "aria-hidden": "true" });
    swatch.append(svg("line", { x1: 0, x2: 22, y1: 4, y2: 4, class: level.threshold ? "threshold" : "level" }));
    name.append(swatch, ` ${level.name} ${number(level.value)}`);
    made.append(name);
  }
  return made;
}

function drawLine(root, data) {
  const holder = root.querySelector(".line");
  const { line } = data;
  if (!line) return holder.replaceChildren();
  const tiles = [...root.querySelectorAll(".tile")];
  const left = holder.getBoundingClientRect().left;
  const centres = tiles.map((tile) => {
    const box = tile.getBoundingClientRect();
    return box.left + box.width / 2 - left;
  });
  const width = tiles.at(-1).getBoundingClientRect().right - left;
  const [low, high] = rangeOf(line);
  const at = (value) => EDGE + ((high - value) / (high - low)) * (HEIGHT - 2 * EDGE);
  const said = line.places.map((place, i) => `${place}: ${number(line.values[i])}`).join("; ");
  const levels = line.levels.map((level) => `${level.name}: ${number(level.value)}`).join("; ");
  const picture = svg("svg", { role: "img", "aria-label": `${line.title}. ${said}. ${levels}` });
  for (const tick of ticksBetween(low, high, 4)) {
    picture.append(svg("line", { x1: 0, x2: width, y1: at(tick), y2: at(tick), class: "rule" }));
    picture.append(svg("text", { x: 0, y: at(tick) - 3, class: "quiet halo" }, number(tick)));
  }
  for (const level of line.levels) {
    const style = level.threshold ? "threshold" : "level";
    picture.append(svg("line", { x1: 0, x2: width, y1: at(level.value), y2: at(level.value), class: style }));
  }
  if (line.ordered) {
    const points = line.values.map((value, i) => `${centres[i]},${at(value)}`).join(" ");
    picture.append(svg("polyline", { points, class: "path" }));
  }
  line.values.forEach((value, i) => {
    picture.append(svg("circle", { cx: centres[i], cy: at(value), r: 5 }));
  });
  holder.replaceChildren(legend(line), picture);
}

// What is pointed at above is pointed at below, and the other way round.
function point(root, index) {
  for (const kind of [".tile", "circle"]) {
    root.querySelectorAll(kind).forEach((one, i) => one.classList.toggle("pointed", i === index));
  }
}

function placeOf(root, target) {
  const one = target.closest(".tile, circle");
  return one ? [...root.querySelectorAll(one.tagName === "circle" ? "circle" : ".tile")].indexOf(one) : -1;
}

function choose(root, index) {
  const { data, component } = drawn.get(root);
  if (index < 0 || index >= data.captions.length) return;
  root.querySelectorAll(".tile")[index].focus();
  component.setTriggerValue("chosen", index);
}

function listen(root) {
  root.addEventListener("pointerover", (event) => point(root, placeOf(root, event.target)));
  root.addEventListener("pointerleave", () => point(root, -1));
  root.addEventListener("click", (event) => choose(root, placeOf(root, event.target)));
  root.addEventListener("keydown", (event) => {
    const from = placeOf(root, event.target);
    const { columns } = drawn.get(root).data;
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (from < 0 || by === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    choose(root, from + by);
  });
}

function layOut(root) {
  const { data } = drawn.get(root);
  const tiles = root.querySelector(".tiles");
  const shown = tiles.firstChild?.clientWidth ?? 0;
  tiles.classList.toggle("enlarged", shown * window.devicePixelRatio > data.panels[0].width);
  drawLine(root, data);
}

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".strip");
  if (!drawn.has(root)) {
    drawn.set(root, { again: new ResizeObserver(() => layOut(root)) });
    listen(root);
  }
  const kept = Object.assign(drawn.get(root), { data, component });
  drawTiles(root.querySelector(".tiles"), data);
  const isGray = data.panels[0].palette === "gray";
  root.querySelector(".bars").replaceChildren(...(isGray ? [] : [scaleBar(data.panels[0])]));
  kept.again.observe(root);
  layOut(root);
  root.dataset.painted = String(Number(root.dataset.painted ?? 0) + 1); // for measurements: when the pixels are there
  return () => kept.again.disconnect();
}
