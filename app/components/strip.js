// Decoded images in rows, and a line below them: see strip.py. Called again on the same nodes whenever the data change:
// canvases are reused, so nothing flickers. Texts from data go through textContent only.

import { bytesOf, isPicture, number, paint, scaleBar } from "./colours.js";
import { element } from "./nodes.js";
import { ticksBetween } from "./numbers.js";
import { offerToSave } from "./save_offers.js";

const HEIGHT = 150; // pixels, as in strip.css
const PLACES = 20; // below the line where it is saved, without the images
const EDGE = 8; // room for points at the top and bottom
const SMALLEST_TILE = 66;
const AXIS = 18; // below the line where its points stand on an axis
const LABEL = 48; // room for the numbers of the axis, where the line is wider than its images
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
  const { panels, pixels, captions, columns } = data;
  const chosen = tileOf(data, data.chosen);
  const hadFocus = tiles.contains(tiles.getRootNode().activeElement);
  const [panel] = panels;
  tiles.style.setProperty("--columns", columns);
  while (tiles.children.length > captions.length) tiles.lastChild.remove();
  while (tiles.children.length < captions.length) tiles.append(makeTile());
  captions.forEach((lines, i) => {
    const tile = tiles.children[i];
    const [canvas, caption] = tile.children;
    paint(canvas, bytesOf(panels, pixels, 0, i), panel.width, panel.height, panel.palette);
    canvas.role = "img";
    canvas.ariaLabel = panel.name;
    tile.setAttribute("aria-current", String(i === chosen));
    tile.hidden = false; // what is hidden cannot be focused
    tile.tabIndex = i === chosen ? 0 : -1; // one tile is in the tab order, arrows go on from there
    caption.replaceChildren(...lines.map((line) => Object.assign(element("span", "", line), { title: line })));
  });
  if (hadFocus && data.at) tiles.children[chosen]?.focus({ preventScroll: true }); // the images have moved on below it
}

// Where only some values have an image: which tile shows a value, and which value a tile shows.
const tileOf = (data, value) => (data.at ? data.at.indexOf(value) : value);
const valueOf = (data, tile) => (data.at ? data.at[tile] : tile);

// From the lowest to the highest of the points and levels, with air above and below.
function rangeOf({ values, levels, decision }) {
  const points = [...values, ...(decision?.soFar ?? [])].filter((value) => value !== null);
  const all = [...points, ...levels.map((level) => level.value)];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const air = (high - low || Math.abs(high) || 1) * 0.12;
  return [low - air, high + air];
}

// Where each value stands, and how wide the line is: below the images, or evenly where some values have none.
function placesOf(root, holder, data) {
  const left = holder.getBoundingClientRect().left;
  const boxes = [...root.querySelectorAll(".tile")].map((tile) => tile.getBoundingClientRect());
  if (!data.at) {
    return { centres: boxes.map((box) => box.left + box.width / 2 - left), width: boxes.at(-1).right - left };
  }
  const { width } = holder.getBoundingClientRect();
  const room = width - LABEL - EDGE;
  const n = data.line.values.length;
  const along = data.line.axis?.values ?? data.line.values.map((_, i) => i);
  const [first, span] = [along[0], along[n - 1] - along[0]];
  const onAxis = (x) => LABEL + (span > 0 ? ((x - first) / span) * room : room / 2);
  return { centres: along.map(onAxis), width, onAxis };
}

// The axis that the points stand on, its title at the right end.
function axisOf({ axis }, width, onAxis) {
  const y = HEIGHT + 14;
  const low = axis.values[0];
  const ticks = ticksBetween(low, axis.values.at(-1), Math.max(2, Math.floor(width / 120)));
  const end = width - 7 * axis.title.length - 40; // what is further right is the title's
  const shown = ticks.filter((tick) => onAxis(tick) < end);
  return [
    ...shown.map((tick) => svg("text", { x: onAxis(tick), y, class: "quiet", "text-anchor": "middle" }, number(tick))),
    svg("text", { x: width, y, class: "quiet", "text-anchor": "end" }, axis.title),
  ];
}

// What the rule makes of the points up to each, and where it is settled.
function decisionOf({ decision }, centres, at, width) {
  const points = decision.soFar.flatMap((value, i) => (value === null ? [] : [`${centres[i]},${at(value)}`])).join(" ");
  const x = centres[decision.at];
  const isLeft = x > width / 2; // where there is more room for the words
  const place = { x: x + (isLeft ? -6 : 6), y: EDGE + 6, class: "halo", "text-anchor": isLeft ? "end" : "start" };
  return [
    svg("polyline", { points, class: "so-far" }),
    svg("line", { x1: x, x2: x, y1: 0, y2: HEIGHT, class: "settled" }),
    svg("text", place, decision.words),
  ];
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
  if (line.decision) {
    const name = element("span");
    const swatch = svg("svg", { width: 22, height: 8, "aria-hidden": "true" });
    swatch.append(svg("line", { x1: 0, x2: 22, y1: 4, y2: 4, class: "so-far" }));
    name.append(swatch, ` ${line.decision.title}`);
    made.append(name);
  }
  return made;
}

function drawLine(root, data) {
  const holder = root.querySelector(".line");
  const { line } = data;
  if (!line) return holder.replaceChildren();
  const { centres, width, onAxis } = placesOf(root, holder, data);
  const [low, high] = rangeOf(line);
  const at = (value) => EDGE + ((high - value) / (high - low)) * (HEIGHT - 2 * EDGE);
  const said = line.places
    .map((place, i) => `${place}: ${line.values[i] === null ? "no score" : number(line.values[i])}`)
    .join("; ");
  const levels = line.levels.map((level) => `${level.name}: ${number(level.value)}`).join("; ");
  const decided = line.decision ? `. ${line.decision.title}: ${line.decision.words}` : "";
  const picture = svg("svg", { role: "img", "aria-label": `${line.title}. ${said}. ${levels}${decided}` });
  picture.style.height = `${HEIGHT + (line.axis ? AXIS : 0)}px`;
  if (line.axis) picture.append(...axisOf(line, width, onAxis));
  for (const tick of ticksBetween(low, high, 4)) {
    picture.append(svg("line", { x1: 0, x2: width, y1: at(tick), y2: at(tick), class: "rule" }));
    picture.append(svg("text", { x: 0, y: at(tick) - 3, class: "quiet halo" }, number(tick)));
  }
  for (const level of line.levels) {
    const style = level.threshold ? "threshold" : "level";
    picture.append(svg("line", { x1: 0, x2: width, y1: at(level.value), y2: at(level.value), class: style }));
  }
  if (line.ordered) {
    const points = line.values.flatMap((value, i) => (value === null ? [] : [`${centres[i]},${at(value)}`])).join(" ");
    picture.append(svg("polyline", { points, class: "path" }));
  }
  if (line.decision) picture.append(...decisionOf(line, centres, at, width));
  const apart = centres.length > 1 ? (centres.at(-1) - centres[0]) / (centres.length - 1) : width;
  const r = Math.max(1.5, Math.min(5, apart / 2.5));
  line.values.forEach((value, i) => {
    const isCurrent = data.at && i === data.chosen;
    if (value === null) return;
    const isPassedOver = line.decision && !line.decision.counted[i];
    const look = isCurrent ? "current" : isPassedOver ? "passed-over" : "";
    picture.append(svg("circle", { cx: centres[i], cy: at(value), r: isCurrent ? 7 : r, class: look }));
  });
  holder.replaceChildren(legend(line), picture);
}

// The line drawn again on paper, with the styles that its shapes have on the screen, and places in words below it.
function redraw(root, context, looks) {
  const { data } = drawn.get(root);
  const holder = root.querySelector(".line");
  const home = getComputedStyle(holder);
  const onPaper = (shape, colour) => (shape.matches(".rule") ? "#e2e2e2" : colour === home.color ? looks.ink : colour);
  Object.assign(context, { font: `12px ${looks.face}`, textBaseline: "alphabetic" });
  for (const shape of holder.querySelectorAll(":scope > svg > *")) {
    const style = getComputedStyle(shape);
    const at = (name) => Number(shape.getAttribute(name));
    Object.assign(context, { fillStyle: onPaper(shape, style.fill), strokeStyle: onPaper(shape, style.stroke) });
    context.lineWidth = parseFloat(style.strokeWidth);
    context.setLineDash(style.strokeDasharray === "none" ? [] : style.strokeDasharray.match(/[\d.]+/g).map(Number));
    context.beginPath();
    if (shape.matches("text")) {
      context.textAlign = { middle: "center", end: "right" }[shape.getAttribute("text-anchor")] ?? "left";
      context.fillText(shape.textContent, at("x"), at("y"));
    } else if (shape.matches("circle")) {
      const isCurrent = shape.matches(".current");
      context.arc(at("cx"), at("cy"), at("r"));
      context[isCurrent ? "fillStyle" : "strokeStyle"] = looks.ground;
      context.fill();
      context.stroke();
    } else if (shape.matches("polyline")) {
      for (const place of shape.getAttribute("points").split(" ")) context.lineTo(...place.split(",").map(Number));
      context.stroke();
    } else {
      context.moveTo(at("x1"), at("y1"));
      context.lineTo(at("x2"), at("y2"));
      context.stroke();
    }
  }
  if (data.line.axis) return; // which says the places
  Object.assign(context, { fillStyle: looks.ink, textAlign: "center" });
  let from = -Infinity; // where the last word ends
  placesOf(root, holder, data).centres.forEach((x, i) => {
    const half = context.measureText(data.line.places[i]).width / 2;
    if (x - half < from + 8) return; // no room
    context.fillText(data.line.places[i], x, HEIGHT + 14);
    from = x + half;
  });
}

function offerLine(root) {
  const holder = root.querySelector(".line");
  const { line } = drawn.get(root).data;
  if (!line) return;
  offerToSave(root.querySelector(".lined"), {
    name: "line",
    words: () => `${line.title}, ${line.places.at(0)} to ${line.places.at(-1)}`,
    size: () => ({ width: holder.clientWidth, height: HEIGHT + PLACES }),
    draw: (context, looks) => redraw(root, context, looks),
    keys: () =>
      line.levels.map((level) => ({
        words: `${level.name} ${number(level.value)}`,
        colour: level.threshold ? "#7A7A7A" : "#0072B2",
      })),
    table: () => ({
      heads: ["drawn as", "place", line.title],
      rows: [
        ...line.places.map((place, i) => ["point", place, line.values[i]]),
        ...line.levels.map((level) => ["level", level.name, level.value]),
        ...(line.decision?.soFar ?? []).map((value, i) => [line.decision.title, line.places[i], value]),
      ],
    }),
  });
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

// The value that was clicked or is focused: of its image, or where the line is wider than those the nearest one.
function chosenBy(root, event) {
  const { data } = drawn.get(root);
  const picture = event.target.closest(".line > svg");
  if (!data.at || !picture || event.type !== "click") {
    const tile = placeOf(root, event.target);
    return tile < 0 ? -1 : valueOf(data, tile);
  }
  const { centres } = placesOf(root, root.querySelector(".line"), data);
  const x = event.clientX - picture.getBoundingClientRect().left;
  return centres.reduce((best, centre, i) => (Math.abs(centre - x) < Math.abs(centres[best] - x) ? i : best), 0);
}

function choose(root, index) {
  const { data, component } = drawn.get(root);
  if (index < 0 || index >= (data.at ? data.line.values : data.captions).length) return;
  root.querySelectorAll(".tile")[tileOf(data, index)]?.focus();
  component.setTriggerValue("chosen", index);
  if (!data.at) return;
  data.chosen = index; // at once, so that the next press goes on from here and not from what the page still shows
  drawLine(root, data);
}

function listen(root) {
  root.addEventListener("pointerover", (event) => {
    if (!drawn.get(root).data.at) point(root, placeOf(root, event.target));
  });
  root.addEventListener("pointerleave", () => point(root, -1));
  root.addEventListener("click", (event) => choose(root, chosenBy(root, event)));
  root.addEventListener("keydown", (event) => {
    const { columns, at, chosen } = drawn.get(root).data;
    const tile = placeOf(root, event.target);
    const from = at && tile >= 0 ? chosen : tile;
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: at ? 1 : columns, ArrowUp: at ? -1 : -columns }[event.key];
    if (from < 0 || by === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    choose(root, from + by);
  });
}

// Of images that stand for more values than there are, no more than have room beside each other: the chosen one, and
// those that are evenly apart from it.
function thinOut(tiles, data) {
  const all = [...tiles.children];
  const step = Math.max(1, Math.ceil((all.length * SMALLEST_TILE) / tiles.clientWidth));
  const isShown = (i) => i % step === tileOf(data, data.chosen) % step;
  all.forEach((tile, i) => (tile.hidden = !isShown(i)));
  tiles.style.setProperty("--columns", all.filter((_, i) => isShown(i)).length);
}

function layOut(root) {
  const { data } = drawn.get(root);
  const tiles = root.querySelector(".tiles");
  if (data.at && tiles.clientWidth) thinOut(tiles, data);
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
  root.querySelector(".bars").replaceChildren(...(isPicture(data.panels[0]) ? [] : [scaleBar(data.panels[0])]));
  kept.again.observe(root);
  layOut(root);
  offerLine(root);
  root.dataset.painted = String(Number(root.dataset.painted ?? 0) + 1); // for measurements: when the pixels are there
  return () => kept.again.disconnect();
}
