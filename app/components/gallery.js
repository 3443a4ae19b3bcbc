// Cards of images: see gallery.py. Called again on the same nodes whenever the data change, so buttons and canvases are
// reused: focus and scroll position stay while paging. Texts from data go through textContent only.

import { bytesOf, paint, scaleBar } from "./colours.js";
import { element } from "./nodes.js";

const VERDICTS = { missed: "missed attack", rejected: "rejected live", "no response": "no response" };

const NAMED = 100; // pixels of an image that has room for its name
const SMALLEST = 48; // of images that are told apart
const GAP = 8; // between cards, as in gallery.css

// As many children as wanted: the first ones are kept as they are.
function resize(parent, count, make) {
  while (parent.children.length > count) parent.lastChild.remove();
  while (parent.children.length < count) parent.append(make());
}

function drawLegend(legend, panels, cards) {
  legend.replaceChildren();
  legend.append(element("span", "", `Images: ${panels.map((p) => p.name).join(" · ")}`));
  const seen = new Set();
  for (const panel of panels) {
    const name = `${panel.unit} ${panel.palette} ${panel.low} ${panel.high}`;
    if (panel.palette === "gray" || seen.has(name)) continue;
    seen.add(name);
    legend.append(scaleBar(panel));
  }
  for (const [verdict, words] of Object.entries(VERDICTS)) {
    if (verdict === "no response") continue; // has no outline
    if (!cards.some((card) => card.verdict === verdict)) continue;
    const key = element("span", "key");
    key.append(element("i", verdict), element("span", "", words));
    legend.append(key);
  }
}

function makeCell() {
  const cell = element("div", "cell");
  const card = element("button", "card");
  card.type = "button";
  card.append(element("div", "panels"), element("div", "caption"), element("span", "unseen"));
  const star = element("button", "star");
  star.type = "button";
  star.tabIndex = -1; // the key m does the same, and a second tab stop per card would double the way
  cell.append(card, star);
  return cell;
}

function makePanel() {
  const figure = element("figure");
  figure.ariaHidden = "true"; // named alike on every card: no part of what a card is called
  figure.append(element("canvas"), element("figcaption"));
  return figure;
}

// The only line of a contact sheet: class, verdict, what is ordered by, and the end of the id, where ids differ.
function drawBrief(caption, card, verdict) {
  resize(caption, 1, () => element("div", "line"));
  const line = caption.firstChild;
  const chip = element("span", card.hollow ? "chip hollow" : "chip");
  chip.style.setProperty("--chip", card.colour);
  const said = [verdict?.split(" ")[0], card.brief, card.note && "✎"].filter(Boolean).join(" · ");
  const id = element("span", "id");
  id.append(element("bdi", "", card.id));
  line.replaceChildren(chip, element("span", "brief", `${said} `), id);
  line.title = [card.group, verdict, ...card.lines, card.note].filter(Boolean).join("\n");
}

function drawCaption(caption, card, verdict) {
  resize(caption, card.lines.length + (card.group ? 1 : 0) + (card.note ? 1 : 0), () => element("div", "line"));
  const lines = [...caption.children];
  for (const line of lines) line.removeAttribute("title");
  if (card.group) {
    const first = lines.shift();
    const chip = element("span", card.hollow ? "chip hollow" : "chip");
    chip.style.setProperty("--chip", card.colour);
    const words = verdict ? `${card.group} · ${verdict}` : card.group; // never by the outline's colour alone
    first.replaceChildren(chip, document.createTextNode(words));
    first.title = words;
  }
  const texts = card.note ? [...card.lines, `✎ ${card.note}`] : card.lines;
  lines.forEach((line, i) => {
    line.textContent = texts[i];
    line.title = texts[i];
  });
}

// Images are as large as asked, or half as large, and so on, until all of a card fit beside each other: at every size a
// pixel stays a pixel, or a square of pixels. What is smaller than its pixels is averaged. The browser's zoom counts too.
function layOut(grid) {
  const { panels, size } = current.get(grid).component.data;
  const widthOf = (side) => panels.length * side + (panels.length - 1) * 2;
  const room = grid.clientWidth;
  let side = size;
  while (room && side > 32 && widthOf(side) + 16 > room) side /= 2;
  // A contact sheet has two columns at least, if the images are then not too small to be told apart.
  const half = Math.floor(((room - GAP) / 2 - 16 - (panels.length - 1) * 2) / panels.length);
  if (side < NAMED && side > half && half >= SMALLEST) side = half;
  grid.style.setProperty("--row", `${widthOf(side)}px`);
  grid.style.setProperty("--card", `${widthOf(side) + 16}px`); // + padding and border on both sides
  const isSheet = side < NAMED; // too narrow for words: the legend names the images in order
  grid.classList.toggle("unnamed", isSheet);
  grid.classList.toggle("enlarged", side * window.devicePixelRatio > panels[0].width);
  return isSheet;
}

function drawCell(cell, card, index, panels, pixels, isSheet) {
  const [button, star] = cell.children;
  button.className = `card ${card.verdict.replace(" ", "-")}`;
  const verdict = VERDICTS[card.verdict];
  const words = [card.group, verdict, ...card.lines, card.note].filter(Boolean).join(", ");
  button.dataset.words = words;
  button.dataset.id = card.id;
  const [row, caption] = button.children;
  resize(row, panels.length, makePanel);
  panels.forEach((panel, p) => {
    const [canvas, name] = row.children[p].children;
    canvas.style.aspectRatio = `${panel.width} / ${panel.height}`;
    canvas.title = panel.name;
    name.textContent = panel.name;
    paint(canvas, bytesOf(panels, pixels, p, index), panel.width, panel.height, panel.palette);
  });
  // A card is called what can be read on it; what a contact sheet has no room for comes after that.
  const isBrief = isSheet && card.brief !== "";
  if (isBrief) drawBrief(caption, card, verdict);
  else drawCaption(caption, card, verdict);
  button.dataset.unread = isBrief ? words : "";
  star.title = `${card.id}: mark (key m)`;
  star.setAttribute("aria-label", `Mark ${card.id}`);
}

const cards = (grid) => [...grid.children].map((cell) => cell.firstChild);

function mark(grid, index) {
  cards(grid).forEach((button, i) => button.setAttribute("aria-current", String(i === index)));
}

// Roving focus: one card is in the tab order, arrows move from card to card.
function makeCurrent(grid, index) {
  cards(grid).forEach((button, i) => (button.tabIndex = i === index ? 0 : -1));
}

function goTo(grid, index) {
  makeCurrent(grid, index);
  cards(grid)[index].focus();
}

function move(grid, from, key) {
  const buttons = cards(grid);
  const tops = buttons.map((button) => button.parentElement.offsetTop);
  const perRow = tops.filter((top) => top === tops[0]).length;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow, ArrowUp: -perRow, n: 1, p: -1 };
  if (key === "Home") return 0;
  if (key === "End") return buttons.length - 1;
  return from + steps[key];
}

// grid -> what the listeners, which are added once, act on: what was drawn last, and the marks that nobody has kept yet
const current = new WeakMap();
const leftAt = new WeakMap(); // grid -> button chosen last: a dialog that opened for it cannot give the focus back itself

// The first key after such a dialog has closed, with the focus nowhere, goes on from the card that opened it.
function comeBack(grid) {
  const button = leftAt.get(grid);
  if (!button?.isConnected || document.activeElement !== document.body) return;
  leftAt.delete(grid);
  button.focus();
}

function choose(grid, index) {
  mark(grid, index);
  makeCurrent(grid, index);
  leftAt.set(grid, cards(grid)[index]);
  const { data, setTriggerValue } = current.get(grid).component;
  setTriggerValue("chosen", data.cards[index].id);
}

function turn(grid, by) {
  const { component, state } = current.get(grid);
  const { place } = component.data;
  if (!place || place.page + by < 1 || place.page + by > place.pages) return;
  state.turning = by;
  component.setTriggerValue("turn", by);
}

// Every press is a line of a list that is sent until the server has kept it: none is lost while it is at work.
function toggle(grid, index) {
  const { component, state } = current.get(grid);
  const { data } = component;
  if (!data.marks) return;
  const id = data.cards[index].id;
  state.count += 1;
  state.presses.push({ n: state.count, id, on: !isMarked(data.cards[index], state) });
  component.setStateValue("presses", [...state.presses]);
  drawStars(grid);
}

function isMarked(card, state) {
  return state.presses.findLast((press) => press.id === card.id)?.on ?? card.marked;
}

function drawStars(grid) {
  const { component, state } = current.get(grid);
  component.data.cards.forEach((card, i) => {
    const [button, star] = grid.children[i].children;
    const on = isMarked(card, state);
    star.hidden = !component.data.marks;
    star.textContent = on ? "★" : "☆";
    star.setAttribute("aria-pressed", String(on));
    button.lastChild.textContent = [on && "marked", button.dataset.unread].filter(Boolean).join(", ");
  });
}

function listen(grid) {
  grid.addEventListener("click", (event) => {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const index = [...grid.children].indexOf(cell);
    if (event.target.closest(".star")) toggle(grid, index);
    else if (event.target.closest(".card")) choose(grid, index);
  });
  grid.addEventListener("keydown", (event) => {
    const from = [...grid.children].indexOf(event.target.closest(".cell"));
    if (from < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "m") toggle(grid, from);
    else if (event.key === "PageDown" || event.key === "PageUp") turn(grid, event.key === "PageDown" ? 1 : -1);
    else if (["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "Home", "End", "n", "p"].includes(event.key)) {
      const to = move(grid, from, event.key);
      if (to >= 0 && to < grid.children.length) goTo(grid, to);
      else if (event.key === "n" || event.key === "p") turn(grid, event.key === "n" ? 1 : -1);
    } else return;
    event.preventDefault();
  });
}

export default function (component) {
  const { data, parentElement } = component;
  const { panels, pixels, selected } = data;
  const grid = parentElement.querySelector(".grid");
  if (!current.has(grid)) {
    const kept = { component, state: { presses: [], count: 0, turning: 0 } };
    current.set(grid, { ...kept, onKey: () => comeBack(grid), onZoom: () => layOut(grid) });
    document.addEventListener("keydown", current.get(grid).onKey);
    window.addEventListener("resize", current.get(grid).onZoom);
    listen(grid);
  }
  const now = current.get(grid);
  now.component = component;
  const kept = data.marks?.kept ?? 0;
  now.state.presses = now.state.presses.filter((press) => press.n > kept);
  now.state.count = Math.max(now.state.count, kept);

  const isSheet = layOut(grid); // before anything has changed, when it costs the browser nothing to say how wide the grid is
  const before = cards(grid).findIndex((button) => button.tabIndex === 0);
  resize(grid, data.cards.length, makeCell);
  data.cards.forEach((card, i) => drawCell(grid.children[i], card, i, panels, pixels, isSheet));
  mark(
    grid,
    data.cards.findIndex((card) => card.id === selected),
  );
  makeCurrent(grid, Math.max(0, Math.min(before, data.cards.length - 1)));
  drawStars(grid);
  drawLegend(parentElement.querySelector(".legend"), panels, data.cards);
  const page = data.place?.page;
  if (now.state.turning && page !== now.page) {
    goTo(grid, now.state.turning > 0 ? 0 : data.cards.length - 1);
    now.state.turning = 0;
  }
  now.page = page;
  grid.dataset.painted = String(Number(grid.dataset.painted ?? 0) + 1); // for measurements: when the pixels are there
  return () => {
    document.removeEventListener("keydown", now.onKey);
    window.removeEventListener("resize", now.onZoom);
  };
}
