// Cards of images: see gallery.py. Called again on the same nodes whenever the data change, so buttons and canvases are
// reused: focus and scroll position stay while paging. Texts from data go through textContent only.

const ANCHORS = {
  gray: ["#000000", "#ffffff"],
  // Inferno: brightness rises evenly, so equal steps of error look equal, also without colour vision.
  error: ["#000004", "#1b0c41", "#4a0c6b", "#781c6d", "#a52c60", "#cf4446", "#ed6925", "#fb9b06", "#f7d13d", "#fcffa4"],
  signed: ["#2166ac", "#67a9cf", "#d1e5f0", "#f7f7f7", "#fddbc7", "#ef8a62", "#b2182b"],
};
const VERDICTS = { missed: "missed attack", rejected: "rejected live", "no response": "no response" };

function table(anchors) {
  const rgb = anchors.map((a) => [1, 3, 5].map((i) => parseInt(a.slice(i, i + 2), 16)));
  const colours = new Uint32Array(256);
  for (let value = 0; value < 256; value++) {
    const at = (value / 255) * (rgb.length - 1);
    const left = Math.min(Math.floor(at), rgb.length - 2);
    const [r, g, b] = rgb[left].map((c, i) => Math.round(c + (rgb[left + 1][i] - c) * (at - left)));
    colours[value] = (255 << 24) | (b << 16) | (g << 8) | r;
  }
  return colours;
}
const COLOURS = Object.fromEntries(Object.entries(ANCHORS).map(([name, anchors]) => [name, table(anchors)]));

function paint(canvas, bytes, width, height, palette) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = COLOURS[palette];
  for (let i = 0; i < pixels.length; i++) pixels[i] = colours[bytes[i]];
  context.putImageData(image, 0, 0);
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// As many children as wanted: the first ones are kept as they are.
function resize(parent, count, make) {
  while (parent.children.length > count) parent.lastChild.remove();
  while (parent.children.length < count) parent.append(make());
}

function number(value) {
  return String(Number(value.toFixed(3))).replace("-", "−");
}

function drawLegend(legend, panels, cards) {
  legend.replaceChildren();
  legend.append(element("span", "", `Images: ${panels.map((p) => p.name).join(" · ")}`));
  const seen = new Set();
  for (const panel of panels) {
    const name = `${panel.palette} ${panel.low} ${panel.high}`;
    if (panel.palette === "gray" || seen.has(name)) continue;
    seen.add(name);
    const bar = element("span", "bar");
    const canvas = element("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Colour scale from ${number(panel.low)} to ${number(panel.high)}`);
    paint(canvas, Uint8Array.from({ length: 256 }, (_, i) => i), 256, 1, panel.palette);
    const title = panel.palette === "signed" ? "original − reconstruction" : "|original − reconstruction|";
    const bottom = panel.palette === "signed" ? `${number(panel.low)} or less` : number(panel.low);
    bar.append(element("span", "", title), element("span", "", bottom), canvas, element("span", "", `${number(panel.high)} or more`));
    legend.append(bar);
  }
  for (const [verdict, words] of Object.entries(VERDICTS)) {
    if (verdict === "no response") continue; // has no outline
    if (!cards.some((card) => card.verdict === verdict)) continue;
    const key = element("span", "key");
    key.append(element("i", verdict), element("span", "", words));
    legend.append(key);
  }
}

function makeCard() {
  const card = element("button", "card");
  card.type = "button";
  card.append(element("div", "panels"), element("div", "caption"));
  return card;
}

function makePanel() {
  const figure = element("figure");
  figure.append(element("canvas"), element("figcaption"));
  return figure;
}

function drawCaption(caption, card, verdict) {
  resize(caption, card.lines.length + (card.group ? 1 : 0), () => element("div", "line"));
  const lines = [...caption.children];
  if (card.group) {
    const first = lines.shift();
    const chip = element("span", card.hollow ? "chip hollow" : "chip");
    chip.style.setProperty("--chip", card.colour);
    const words = verdict ? `${card.group} · ${verdict}` : card.group; // never by the outline's colour alone
    first.replaceChildren(chip, document.createTextNode(words));
    first.title = words;
  }
  lines.forEach((line, i) => {
    line.textContent = card.lines[i];
    line.title = card.lines[i];
  });
}

function drawCard(button, card, index, panels, columns, size) {
  button.className = `card ${card.verdict.replace(" ", "-")}`;
  const verdict = VERDICTS[card.verdict];
  button.setAttribute("aria-label", [card.group, verdict, ...card.lines].filter(Boolean).join(", "));
  const [row, caption] = button.children;
  resize(row, panels.length, makePanel);
  panels.forEach((panel, p) => {
    const [canvas, name] = row.children[p].children;
    const ratio = (size * window.devicePixelRatio) / panel.width;
    canvas.className = ratio > 1 ? "enlarged" : "";
    canvas.style.aspectRatio = `${panel.width} / ${panel.height}`;
    canvas.title = panel.name;
    name.textContent = panel.name;
    name.hidden = size < 100; // too narrow for words: the legend names the images in order
    paint(canvas, columns[p].get(index), panel.width, panel.height, panel.palette);
  });
  drawCaption(caption, card, verdict);
}

function mark(grid, index) {
  [...grid.children].forEach((button, i) => button.setAttribute("aria-current", String(i === index)));
}

// Roving focus: one card is in the tab order, arrows move from card to card.
function makeCurrent(grid, index) {
  [...grid.children].forEach((button, i) => (button.tabIndex = i === index ? 0 : -1));
}

function move(grid, from, key) {
  const buttons = [...grid.children];
  const perRow = buttons.filter((b) => b.offsetTop === buttons[0].offsetTop).length;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow, ArrowUp: -perRow };
  if (key === "Home") return 0;
  if (key === "End") return buttons.length - 1;
  const to = from + (steps[key] ?? 0);
  return to >= 0 && to < buttons.length ? to : from;
}

const current = new WeakMap(); // grid -> {choose, onKey}: listeners are added once, what they act on changes
const leftAt = new WeakMap(); // grid -> button chosen last: a dialog that opened for it cannot give the focus back itself

// The first key after such a dialog has closed, with the focus nowhere, goes on from the card that opened it.
function comeBack(grid) {
  const button = leftAt.get(grid);
  if (!button?.isConnected || document.activeElement !== document.body) return;
  leftAt.delete(grid);
  button.focus();
}

function listen(grid) {
  grid.addEventListener("click", (event) => {
    const button = event.target.closest(".card");
    if (!button) return;
    const index = [...grid.children].indexOf(button);
    mark(grid, index);
    makeCurrent(grid, index);
    leftAt.set(grid, button);
    current.get(grid).choose(index);
  });
  grid.addEventListener("keydown", (event) => {
    if (!["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return;
    const from = [...grid.children].indexOf(event.target.closest(".card"));
    if (from < 0) return;
    event.preventDefault();
    const to = move(grid, from, event.key);
    makeCurrent(grid, to);
    grid.children[to].focus();
  });
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const { cards, panels, pixels, size, selected } = data;
  const grid = parentElement.querySelector(".grid");
  if (!current.has(grid)) {
    current.set(grid, { onKey: () => comeBack(grid) });
    document.addEventListener("keydown", current.get(grid).onKey);
    listen(grid);
  }
  current.get(grid).choose = (index) => setTriggerValue("chosen", cards[index].id);

  const width = panels.length * size + (panels.length - 1) * 2;
  grid.style.setProperty("--row", `${width}px`);
  grid.style.setProperty("--card", `${width + 16}px`); // + padding and border on both sides
  const columns = panels.map((_, p) => pixels.getChild(`p${p}`));
  const before = [...grid.children].findIndex((button) => button.tabIndex === 0);
  resize(grid, cards.length, makeCard);
  cards.forEach((card, i) => drawCard(grid.children[i], card, i, panels, columns, size));
  mark(grid, cards.findIndex((card) => card.id === selected));
  makeCurrent(grid, Math.max(0, Math.min(before, cards.length - 1)));
  drawLegend(parentElement.querySelector(".legend"), panels, cards);
  grid.dataset.painted = String(Number(grid.dataset.painted ?? 0) + 1); // for measurements: when the pixels are there
  return () => document.removeEventListener("keydown", current.get(grid).onKey);
}
