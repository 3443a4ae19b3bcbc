// Cards of images: see gallery.py. Called again on the same nodes whenever the data change, so buttons and canvases are
// reused: focus and scroll position stay while paging. Texts from data go through textContent only.
// Where a person is in the list is a number that keys change here at once, whatever page the server has sent so far.

import { cellsOf, drawCards, drawLegend, drawSaid } from "./gallery_cards.js";
import { layOut } from "./gallery_layout.js";
import { actionOf, ask, askName, forgetKept, hasArrived, isFree, leave, newReview } from "./pressed.js";
import { openField, personOf, press, pressedOn, saidOf } from "./pressed.js";

const OLD = 5000; // milliseconds after which a page is no answer to an earlier question

const cards = (grid) => cellsOf(grid).map((cell) => cell.firstChild);

// grid -> what the listeners, which are added once, act on: what was drawn last, and what people have pressed
const current = new WeakMap();
const leftAt = new WeakMap(); // grid -> button chosen last: a dialog that opened for it cannot give the focus back itself

// The first key after such a dialog has closed, with the focus nowhere, goes on from the card that opened it.
function comeBack(grid) {
  const button = leftAt.get(grid);
  if (!button?.isConnected || document.activeElement !== document.body) return;
  if (document.querySelector("[role=dialog]")) return;
  leftAt.delete(grid);
  button.focus();
}

// ------------------------------------------------------------------------------------------------- places in the list

const firstOf = (grid) => current.get(grid).component.data.place?.first ?? 0;
const totalOf = (grid) => current.get(grid).component.data.place?.total ?? cards(grid).length;
const isLoaded = (grid, at) => at >= firstOf(grid) && at < firstOf(grid) + cards(grid).length;

function cardAt(grid, at) {
  return isLoaded(grid, at) ? current.get(grid).component.data.cards[at - firstOf(grid)] : null;
}

function mark(grid, index) {
  cards(grid).forEach((button, i) => button.setAttribute("aria-current", String(i === index)));
}

// Roving focus: one card is in the tab order, arrows move from card to card. Of a review, its screen is shown.
function makeCurrent(grid, index) {
  const { perScreen } = current.get(grid);
  const screen = perScreen ? Math.floor(index / perScreen) : 0;
  cellsOf(grid).forEach((cell, i) => {
    cell.firstChild.tabIndex = i === index ? 0 : -1;
    cell.hidden = perScreen > 0 && Math.floor(i / perScreen) !== screen;
  });
}

function sayWhere(grid, legend) {
  const { component, review } = current.get(grid);
  const progress = (legend ?? grid.previousElementSibling)?.querySelector(".progress");
  if (progress && component.data.place)
    progress.textContent = `${(review.at + 1).toLocaleString()} of ${totalOf(grid).toLocaleString()}`;
}

function goTo(grid, to) {
  const { component, review } = current.get(grid);
  const at = Math.max(0, Math.min(to, totalOf(grid) - 1));
  if (at !== review.at) leave(review, component, cardAt(grid, review.at), component.data.layout !== "sheet");
  review.at = at;
  sayWhere(grid);
  if (!isLoaded(grid, at)) {
    ask(review, component, at);
    return holdFocus(grid);
  }
  const index = at - firstOf(grid);
  makeCurrent(grid, index);
  const button = cards(grid)[index];
  button.focus({ preventScroll: true });
  button.scrollIntoView({ block: "nearest" }); // with the margins of gallery.css: under no bar
  remember(grid);
}

// Keys are heard where the focus is: it stays on a card that is seen, whichever page and screen are drawn.
function holdFocus(grid) {
  const button = cards(grid).find((card) => card.tabIndex === 0);
  if (button && grid.getRootNode().activeElement !== button) button.focus({ preventScroll: true });
}

const STEPS = { n: 1, p: -1, ArrowRight: 1, ArrowLeft: -1 };

function destination(grid, key) {
  const { component, review, perScreen } = current.get(grid);
  const { place } = component.data;
  const first = firstOf(grid);
  if (key in STEPS) return review.at + STEPS[key];
  if (key === "Home") return first;
  if (key === "End") return first + cards(grid).length - 1;
  if (key === "ArrowDown" || key === "ArrowUp") return below(grid, review.at - first, key === "ArrowDown") + first;
  const step = perScreen || place?.perPage || cards(grid).length;
  const from = perScreen ? review.at : first;
  return Math.floor(from / step) * step + (key === "PageDown" ? step : -step);
}

// The card under or over another one: the nearest in the next row, whatever headings stand between.
function below(grid, index, isDown) {
  const boxes = cards(grid).map((button) => button.parentElement);
  const { offsetTop, offsetLeft } = boxes[index] ?? boxes[0];
  const rows = boxes.map((box) => box.offsetTop).filter((top) => (isDown ? top > offsetTop : top < offsetTop));
  if (!rows.length || boxes.some((box) => box.hidden)) return index + (isDown ? 1 : -1);
  const row = isDown ? Math.min(...rows) : Math.max(...rows);
  const there = boxes.map((box, i) => i).filter((i) => boxes[i].offsetTop === row);
  const away = (i) => Math.abs(boxes[i].offsetLeft - offsetLeft);
  return there.reduce((best, i) => (away(i) < away(best) ? i : best));
}

// ------------------------------------------------------------------------------- where somebody was who comes back

const nameOfPlace = () => `fas gallery ${window.location.pathname}${window.location.search}`;

function remember(grid) {
  const { component, review } = current.get(grid);
  if (!component.data.place) return;
  const scrolled = document.querySelector("[data-testid=stMain]")?.scrollTop ?? 0;
  window.sessionStorage.setItem(nameOfPlace(), JSON.stringify({ at: review.at, scrolled }));
}

function recall(grid) {
  const { component, review } = current.get(grid);
  const kept = component.data.place && window.sessionStorage.getItem(nameOfPlace());
  if (!kept) return;
  const { at, scrolled } = JSON.parse(kept);
  if (!isLoaded(grid, at)) return;
  review.at = at;
  makeCurrent(grid, at - firstOf(grid));
  sayWhere(grid);
  let tries = 20; // until the page is as long as it was
  const scroll = () => {
    const main = document.querySelector("[data-testid=stMain]");
    if (main) main.scrollTop = scrolled;
    if (main && Math.abs(main.scrollTop - scrolled) > 2 && tries-- > 0) setTimeout(scroll, 50);
    else if (scrolled || at > firstOf(grid)) cards(grid)[at - firstOf(grid)]?.focus({ preventScroll: true });
  };
  scroll();
}

// --------------------------------------------------------------------------------------------------- what is pressed

function choose(grid, index) {
  const { component, review } = current.get(grid);
  mark(grid, index);
  review.at = firstOf(grid) + index;
  makeCurrent(grid, index);
  sayWhere(grid);
  leftAt.set(grid, cards(grid)[index]);
  remember(grid);
  component.setTriggerValue("chosen", component.data.cards[index].id);
}

function drawAllSaid(grid) {
  const { component, review } = current.get(grid);
  const { data } = component;
  cellsOf(grid).forEach((cell, i) => drawSaid(cell, saidOf(review, data.cards[i]), Boolean(data.marking)));
}

function act(grid, action) {
  const { component, review } = current.get(grid);
  const { marking } = component.data;
  const card = cardAt(grid, review.at);
  if (action.what === "note") {
    if (card) writeNote(grid, card);
    return;
  }
  if (action.what === "label" && !personOf(review, component)) {
    const cell = cellsOf(grid)[review.at - firstOf(grid)];
    if (cell)
      askName(cell, review, component, (isNamed, isByKey) => {
        if (isNamed) press(review, component, pressedOn(review, card, action, marking.labels));
        drawAllSaid(grid);
        if (isByKey) cell.firstChild.focus({ preventScroll: true });
      });
    return;
  }
  press(review, component, action.what === "undo" ? action : pressedOn(review, card, action, marking.labels));
  drawAllSaid(grid);
}

function writeNote(grid, card) {
  const { component, review } = current.get(grid);
  const { at } = review;
  const cell = cellsOf(grid)[at - firstOf(grid)];
  openField(cell, {
    label: `Note on ${card.id}`,
    hint: "Note;",
    text: saidOf(review, card).note,
    onDone: (value, isByKey) => {
      if (value !== null) press(review, component, { what: "note", value, id: card.id, at });
      if (isByKey) cell.firstChild.focus({ preventScroll: true });
    },
  });
}

function listen(grid) {
  grid.addEventListener("click", (event) => {
    const cell = event.target.closest(".cell");
    if (!cell || event.target.closest(".note-field")) return;
    const index = cellsOf(grid).indexOf(cell);
    if (event.target.closest(".star")) {
      current.get(grid).review.at = firstOf(grid) + index;
      act(grid, { what: "mark" });
    } else if (event.target.closest(".card")) choose(grid, index);
  });
  grid.addEventListener("focusin", (event) => {
    const index = cards(grid).indexOf(event.target);
    const { review } = current.get(grid);
    if (index < 0 || review.isWaiting) return;
    review.at = firstOf(grid) + index;
    sayWhere(grid);
  });
  grid.addEventListener("keydown", (event) => {
    if (!event.target.closest(".cell") || event.ctrlKey || event.altKey || event.metaKey) return;
    if (hearKey(grid, event)) event.preventDefault();
  });
}

// Whether the key is one of the list's.
function hearKey(grid, event) {
  const action = current.get(grid).component.data.marking ? actionOf(event) : null;
  if (action && !(event.repeat && action.what !== "undo")) act(grid, action);
  else if (["Home", "End", "PageDown", "PageUp", "ArrowDown", "ArrowUp"].includes(event.key) || event.key in STEPS)
    goTo(grid, destination(grid, event.key));
  else if (!action) return false;
  return true;
}

// --------------------------------------------------------------------------------------- keys that no card has heard

const isReview = (grid) => current.get(grid).component.data.layout !== "sheet";
const COVERS = "[role=dialog], [data-testid=stPopoverBody]";
const isCovered = () => document.querySelector(COVERS) !== null;

// A review is gone through by keys, wherever the focus has been left: at a button, in a popover, or nowhere.
function hearElsewhere(grid, event) {
  comeBack(grid);
  if (!grid.isConnected || !isReview(grid)) return;
  if (!isFree(event) || isCovered() || event.composedPath().includes(grid)) return;
  const index = current.get(grid).review.at - firstOf(grid);
  if (event.key === "Enter" && document.activeElement === document.body && cards(grid)[index]) choose(grid, index);
  else if (event.composedPath().some((node) => node.role === "radiogroup") && event.key.startsWith("Arrow")) return;
  else if (hearKey(grid, event)) takeFocus(grid);
  else return;
  event.preventDefault();
}

// The current image has the focus, unless something that takes text has it, or something lies over the page.
function takeFocus(grid) {
  const inner = grid.getRootNode().activeElement ?? document.activeElement;
  if (!grid.isConnected || !isReview(grid) || isCovered() || inner?.matches("input, textarea, select")) return;
  holdFocus(grid);
}

// What begins with a click on a button goes on by keys.
function beginReview(grid) {
  const now = current.get(grid);
  const { layout } = now.component.data;
  if (now.layout !== layout) takeFocus(grid);
  now.layout = layout;
}

// Heard before a popover hears it, which lets nobody else: the focus goes from it to the current image, not to its button.
function whenUncovered(grid, tries = 20) {
  if (tries && isCovered()) setTimeout(() => whenUncovered(grid, tries - 1), 50);
  else setTimeout(() => takeFocus(grid), 50);
}

function mounted(grid, component) {
  const kept = { component, review: newReview(), perScreen: 0 };
  const relaid = () => {
    const now = current.get(grid);
    now.perScreen = layOut(grid, now.component.data).perScreen;
    makeCurrent(grid, Math.max(0, now.review.at - firstOf(grid)));
  };
  const scrolled = () => remember(grid);
  const clicked = (event) => {
    current.get(grid).ledAt = -Infinity;
    if (isCovered() && !event.target.closest(COVERS)) whenUncovered(grid);
  };
  const escaped = (event) => event.key === "Escape" && isCovered() && whenUncovered(grid);
  const onHeard = (event) => hearElsewhere(grid, event);
  const listeners = { onKey: onHeard, onZoom: relaid, onScroll: scrolled, onClick: clicked, onEscape: escaped };
  current.set(grid, { ...kept, ...listeners, ledAt: -Infinity });
  const { onKey, onZoom, onScroll, onClick, onEscape } = current.get(grid);
  document.addEventListener("click", onClick, true);
  document.addEventListener("keydown", onKey);
  document.addEventListener("keydown", onEscape, true);
  window.addEventListener("resize", onZoom);
  document.querySelector("[data-testid=stMain]")?.addEventListener("scrollend", onScroll);
  kept.review.gone = component.data.place?.go?.n ?? 0;
  listen(grid);
}

export default function (component) {
  const { data, parentElement } = component;
  const { place, selected } = data;
  const grid = parentElement.querySelector(".grid");
  const isNew = !current.has(grid);
  if (isNew) mounted(grid, component);
  const now = current.get(grid);
  const { review } = now;
  const active = grid.getRootNode().activeElement;
  const hadFocus = cards(grid).includes(active);
  const before = now.first;
  now.component = component;
  now.first = place?.first ?? 0;
  forgetKept(review, data.marking?.kept ?? 0);
  const isLed = place ? hasArrived(review, place) : false;

  const sizes = layOut(grid, data); // before anything changes, when it costs nothing to say how wide it is
  now.perScreen = sizes.perScreen;
  drawCards(grid, data, sizes);
  mark(
    grid,
    data.cards.findIndex((card) => card.id === selected),
  );
  const isOther = !isNew && place?.list !== now.list;
  now.list = place?.list;
  const isAway = now.first !== before || !isLoaded(grid, review.at);
  const isTurned = !isLed && (isOther || (!review.isWaiting && isAway));
  if (isLed) now.ledAt = performance.now();
  // Another page by other means than keys begins with its first card. One that comes right after a key, though nobody has
  // clicked, is an old one: what the bar of pages showed while the server was at work.
  const isOld = isTurned && !isOther && now.first !== before && performance.now() - now.ledAt < OLD;
  if (isTurned && !isOld) review.at = now.first;
  drawAllSaid(grid);
  const legend = parentElement.querySelector(".legend");
  drawLegend(legend, data, personOf(review, component));
  makeCurrent(grid, Math.max(0, Math.min(review.at - now.first, data.cards.length - 1)));
  sayWhere(grid, legend);
  if (isNew) recall(grid);
  else if (isLed || isOld) goTo(grid, review.at);
  else if (hadFocus) holdFocus(grid);
  beginReview(grid);
  grid.dataset.painted = String(Number(grid.dataset.painted ?? 0) + 1); // for measurements: when the pixels are there
  return () => {
    document.removeEventListener("keydown", now.onKey);
    document.removeEventListener("click", now.onClick, true);
    document.removeEventListener("keydown", now.onEscape, true);
    window.removeEventListener("resize", now.onZoom);
    document.querySelector("[data-testid=stMain]")?.removeEventListener("scrollend", now.onScroll);
  };
}
