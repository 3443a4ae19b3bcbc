// How the cards of a gallery look: images, captions, headings of groups, the legend. Nodes are reused while paging.

import { bytesOf, isPicture, paintRow, scaleBar } from "./colours.js";
import { element } from "./nodes.js";
import { labelsBy } from "./pressed.js";

const BETWEEN = 2; // the images of a card, in pixels of the screen, as in gallery.css
const VERDICTS = { missed: "missed attack", rejected: "rejected live", "no response": "no response" };

export const cellsOf = (grid) => [...grid.querySelectorAll(":scope > .cell")];

// As many children as wanted: the first ones are kept as they are.
function resize(parent, count, make) {
  while (parent.children.length > count) parent.lastChild.remove();
  while (parent.children.length < count) parent.append(make());
}

export function drawLegend(legend, { panels, cards, marking, layout, place }, person) {
  legend.classList.toggle("foot", layout === "sheet"); // images come first
  legend.classList.toggle("stays", layout === "sheet" && Boolean(place)); // on their own page
  legend.replaceChildren();
  legend.append(element("span", "", `Images: ${panels.map((p) => p.name).join(" · ")}`));
  const seen = new Set();
  for (const panel of panels) {
    const name = `${panel.unit} ${panel.palette} ${panel.low} ${panel.high}`;
    if (isPicture(panel) || seen.has(name)) continue;
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
  if (marking && layout !== "sheet") legend.append(keysOf(marking.labels), element("span", "person", labelsBy(person)));
  legend.append(element("span", "progress"));
}

function keysOf(labels) {
  const line = element("span", "keys");
  const keys = [["n p", "go on, back"], ["m", "mark"], ...labels.map((name, i) => [String(i + 1), name])];
  for (const [key, words] of [...keys, ["/", "note"], ["u", "undo"], ["Enter", "open"]]) {
    line.append(element("kbd", "", key), document.createTextNode(key === words ? " " : ` ${words} `));
  }
  return line;
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

function makeFigure() {
  const figure = element("figure");
  figure.ariaHidden = "true"; // named alike on every card: no part of what a card is called
  figure.append(element("canvas"));
  return figure;
}

// Which panels share a canvas: all, or none where they differ in size. Every canvas is a layer of its own, which the
// browser puts together anew in each frame.
function rowsOf(panels) {
  const { width, height } = panels[0];
  const isOneSize = panels.every((panel) => panel.width === width && panel.height === height);
  const places = panels.map((_, p) => p);
  return isOneSize ? [places] : places.map((p) => [p]);
}

// The images at the width of the layout to the pixel, whatever whole number of pixels is between them.
function drawFigure(figure, places, index, { panels, pixels }, side) {
  const canvas = figure.firstChild;
  const { width, height } = panels[places[0]];
  const gap = places.length > 1 ? Math.max(1, Math.round((BETWEEN * width) / side)) : 0;
  const images = places.map((p) => ({ bytes: bytesOf(panels, pixels, p, index), palette: panels[p].palette }));
  paintRow(canvas, images, width, height, gap);
  const names = places.map((p) => panels[p].name);
  canvas.title = names.join(" · ");
  figure.style.setProperty("--images", String(places.length));
  figure.style.setProperty("--widths", String(canvas.width / width));
  resize(figure, 1 + names.length, () => element("figcaption"));
  names.forEach((name, i) => (figure.children[i + 1].textContent = name));
}

function chipOf(card) {
  const chip = element("span");
  drawChip(chip, card);
  return chip;
}

function drawChip(chip, card) {
  chip.className = card.hollow ? "chip hollow" : "chip";
  chip.style.setProperty("--chip", card.colour);
}

// An id is cut from the left: its end is what tells it from others.
function idOf(id) {
  const shown = element("span", "id");
  shown.append(element("bdi", "", id));
  return shown;
}

// The only line of a contact sheet: class, verdict, what is ordered by, and the end of the id, where ids differ.
function drawBrief(caption, card, verdict) {
  resize(caption, 1, () => element("div", "line"));
  const line = caption.firstChild;
  const said = [verdict?.split(" ")[0], card.brief, card.note && "✎"].filter(Boolean).join(" · ");
  if (!line.querySelector(".brief"))
    line.replaceChildren(chipOf(card), element("span", "given"), element("span", "brief"), idOf(card.id));
  const [chip, , brief, id] = line.children;
  drawChip(chip, card);
  brief.textContent = `${said} `;
  id.firstChild.textContent = card.id;
  line.title = [card.group, verdict, ...card.lines, card.note].filter(Boolean).join("\n");
}

function drawCaption(caption, card, verdict) {
  resize(caption, card.lines.length + (card.group ? 1 : 0) + (card.note ? 1 : 0), () => element("div", "line"));
  const lines = [...caption.children];
  for (const line of lines) line.removeAttribute("title");
  if (card.group) {
    const first = lines.shift();
    const words = verdict ? `${card.group} · ${verdict}` : card.group; // never by the outline's colour alone
    first.replaceChildren(chipOf(card), element("span", "given"), document.createTextNode(words));
    first.title = words;
  }
  const texts = card.note ? [...card.lines, `✎ ${card.note}`] : card.lines;
  lines.forEach((line, i) => {
    if (texts[i] === card.id) line.replaceChildren(idOf(card.id));
    else line.textContent = texts[i];
    line.title = texts[i];
  });
}

function drawCell(cell, card, index, data, rows, { side, isSheet }) {
  const { place } = data;
  const [button, star] = cell.children;
  button.className = `card ${card.verdict.replace(" ", "-")}`;
  const verdict = VERDICTS[card.verdict];
  const at = place ? `${place.first + index + 1} of ${place.total}` : "";
  const words = [card.group, verdict, ...card.lines, card.note].filter(Boolean).join(", ");
  button.dataset.id = card.id;
  const [row, caption] = button.children;
  resize(row, rows.length, makeFigure);
  rows.forEach((places, i) => drawFigure(row.children[i], places, index, data, side));
  // A card is called what can be read on it; what a contact sheet has no room for comes after that.
  const isBrief = isSheet && card.brief !== "";
  if (isBrief) drawBrief(caption, card, verdict);
  else drawCaption(caption, card, verdict);
  button.dataset.unread = [isBrief && words, at].filter(Boolean).join(", ");
  star.title = `${card.id}: mark (key m)`;
  star.setAttribute("aria-label", `Mark ${card.id}`);
}

export function drawCards(grid, data, layout) {
  for (const heading of grid.querySelectorAll(":scope > .heading")) heading.remove();
  resize(grid, data.cards.length, makeCell);
  const cells = cellsOf(grid);
  const rows = rowsOf(data.panels);
  data.cards.forEach((card, i) => drawCell(cells[i], card, i, data, rows, layout));
  data.cards.forEach((card, i) => {
    if (card.heading) cells[i].before(element("h2", "heading", card.heading));
  });
}

// What a person has said of a card: its star, and the label in its caption.
export function drawSaid(cell, { marked, label }, hasMarks) {
  const [button, star] = cell.children;
  star.hidden = !hasMarks;
  star.textContent = marked ? "★" : "☆";
  star.setAttribute("aria-pressed", String(marked));
  const given = button.querySelector(".given");
  if (given) given.textContent = label ? `${label} ` : "";
  button.lastChild.textContent = [marked && "marked", button.dataset.unread].filter(Boolean).join(", ");
}
