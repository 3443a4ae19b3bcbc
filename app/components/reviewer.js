// One sample of a list at a time: see reviewer.py. The place in the list is counted here, so that a key that is held
// goes through as many samples as it is heard, whatever the server has drawn so far.

import { element } from "./nodes.js";
import { actionOf, ask, askName, forgetKept, hasArrived, isFree, labelsBy, leave, newReview } from "./pressed.js";
import { personOf, press, pressedOn, saidOf } from "./pressed.js";

const drawn = new WeakMap(); // bar -> what was drawn last and what has been pressed

function step(bar, by) {
  const { component, review } = drawn.get(bar);
  const { place } = component.data;
  const at = Math.max(0, Math.min(review.at + by, place.total - 1));
  if (at === review.at) return;
  leave(review, component, cardHere(bar), true);
  review.at = at;
  drawBar(bar);
  if (at !== place.first) ask(review, component, at);
}

// The sample that is shown, if it is the one where the person is.
function cardHere(bar) {
  const { component, review } = drawn.get(bar);
  return review.at === component.data.place.first ? component.data.card : null;
}

function drawBar(bar) {
  const { component, review } = drawn.get(bar);
  const { card, words, place, marking } = component.data;
  const said = saidOf(review, card);
  bar.querySelector(".back").disabled = review.at === 0;
  bar.querySelector(".on").disabled = review.at >= place.total - 1;
  bar.querySelector(".progress").textContent =
    `${(review.at + 1).toLocaleString()} of ${place.total.toLocaleString()} ${words}`;
  for (const part of bar.querySelectorAll(".star, .labels, .person, .note, .undo")) {
    part.style.display = marking ? "" : "none"; // who may not mark goes through the list all the same
  }
  if (!marking) return said;
  const star = bar.querySelector(".star");
  star.textContent = said.marked ? "★ Marked" : "☆ Mark";
  star.setAttribute("aria-pressed", String(said.marked));
  bar.querySelector(".labels").replaceChildren(
    ...marking.labels.map((name, i) => {
      const button = element("button");
      button.type = "button";
      button.dataset.label = String(i);
      button.setAttribute("aria-pressed", String(said.label === name));
      if (name !== String(i + 1)) button.append(element("kbd", "", i + 1));
      button.append(document.createTextNode(name));
      return button;
    }),
  );
  bar.querySelector(".person").textContent = labelsBy(personOf(review, component));
  return said;
}

function act(bar, action) {
  const now = drawn.get(bar);
  const { component, review } = now;
  if (!component.data.marking) return undefined;
  if (action.what === "note") return bar.querySelector(".note").focus();
  const { marking } = component.data;
  const card = cardHere(bar);
  const keep = () => {
    press(review, component, action.what === "undo" ? action : pressedOn(review, card, action, marking.labels));
    drawBar(bar);
  };
  if (action.what !== "label" || personOf(review, component)) return keep();
  return askName(bar, review, component, (isNamed, isByKey) => {
    if (isNamed) keep();
    if (isByKey) bar.focus({ preventScroll: true });
  });
}

function keepNote(bar) {
  const { component, review } = drawn.get(bar);
  const field = bar.querySelector(".note");
  const { card, place } = component.data;
  if (field.value.trim() === saidOf(review, card).note) return;
  press(review, component, { what: "note", value: field.value.trim(), id: card.id, at: place.first });
}

function hearNote(bar, field) {
  field.addEventListener("keydown", (event) => {
    event.stopPropagation(); // letters are no keys here
    if (event.key === "Escape") field.value = saidOf(drawn.get(bar).review, drawn.get(bar).component.data.card).note;
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    bar.focus({ preventScroll: true }); // which keeps what is written
  });
  field.addEventListener("blur", () => keepNote(bar));
}

function onKey(bar, event) {
  if (!bar.isConnected || !isFree(event)) return;
  const action = actionOf(event);
  if (event.key === "n" || event.key === "p") step(bar, event.key === "n" ? 1 : -1);
  else if (action && !event.repeat) act(bar, action);
  else return;
  event.preventDefault();
}

export default function (component) {
  const bar = component.parentElement.querySelector(".reviewer");
  const { data } = component;
  if (!drawn.has(bar)) {
    const review = newReview();
    review.gone = data.place.go?.n ?? 0;
    const page = document.querySelector("[data-testid=stMain]");
    if (page && !component.parentElement.getRootNode().host?.closest("[role=dialog]")) page.scrollTop = 0;
    drawn.set(bar, { component, review, onKey: (event) => onKey(bar, event) });
    document.addEventListener("keydown", drawn.get(bar).onKey);
    bar.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if (button.matches(".back, .on")) step(bar, button.matches(".on") ? 1 : -1);
      else if (button.matches(".star")) act(bar, { what: "mark" });
      else if (button.matches(".undo")) act(bar, { what: "undo" });
      else act(bar, { what: "label", value: Number(button.dataset.label) });
    });
    hearNote(bar, bar.querySelector(".note"));
  }
  const now = drawn.get(bar);
  const { review } = now;
  const field = bar.querySelector(".note");
  const isWriting = bar.getRootNode().activeElement === field;
  const isOther = now.component.data.card.id !== data.card.id;
  if (isWriting && isOther) keepNote(bar);
  now.component = component;
  forgetKept(review, data.marking?.kept ?? 0);
  const isLed = hasArrived(review, data.place);
  if (!isLed && !review.isWaiting) review.at = data.place.first;
  const said = drawBar(bar);
  if (!isWriting || isOther) field.value = said.note;
  if (isLed && review.at !== data.place.first) ask(review, component, review.at);
  return () => document.removeEventListener("keydown", now.onKey);
}
