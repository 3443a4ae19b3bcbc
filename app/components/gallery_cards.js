// How the cards of a gallery look: images, captions, headings of groups, the legend. Nodes are reused while paging.

import { bytesOf, isPicture, paint, scaleBar } from "./colours.js";
import { element } from "./nodes.js";
import { labelsBy } from "./pressed.js";

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

function makePanel() {
  const figure = element("figure");
  figure.ariaHidden = "true"; // named alike on every card: no part of what a card is called
  figure.append(element("canvas"), element("figcaption"));
  return figure;
}

function chipOf(card) {
  const chip = element("span", card.hollow ? "chip hollow" : "chip");
  chip.style.setProperty("--chip", card.colour);
  return chip;
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
  line.replaceChildren(chipOf(card), element("span", "given"), element("span", "brief", `${said} `), idOf(card.id));
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

function drawCell(cell, card, index, { panels, pixels, place }, isSheet) {
  const [button, star] = cell.children;
  button.className = `card ${card.verdict.replace(" ", "-")}`;
  const verdict = VERDICTS[card.verdict];
  const at = place ? `${place.first + index + 1} of ${place.total}` : "";
  const words = [card.group, verdict, ...card.lines, card.note].filter(Boolean).join(", ");
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
  button.dataset.unread = [isBrief && words, at].filter(Boolean).join(", ");
  star.title = `${card.id}: mark (key m)`;
  star.setAttribute("aria-label", `Mark ${card.id}`);
}

export function drawCards(grid, data, isSheet) {
  for (const heading of grid.querySelectorAll(":scope > .heading")) heading.remove();
  resize(grid, data.cards.length, makeCell);
  const cells = cellsOf(grid);
  data.cards.forEach((card, i) => drawCell(cells[i], card, i, data, isSheet));
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
