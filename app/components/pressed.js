// What people press while they go through a list of samples: marks, labels, notes, and where in the list they are.
// Nothing is lost or heard twice: presses are numbered and sent until the server has kept them; of places that are asked
// for, one is under way at a time, and the server says which it has answered.

import { later } from "./leaving.js";

const LOOKED_AT = 250; // milliseconds after which a sample has been looked at
const QUIET = 2000; // milliseconds until what nobody waits for is sent, unless another page comes first
const LOST = 8000; // milliseconds after which an answer is no longer waited for, as where the connection broke

export function newReview() {
  return { presses: [], count: 0, at: 0, asked: 0, isWaiting: false, gone: 0, since: performance.now(), timer: 0 };
}

// What a key does to a sample; null for all other keys.
export function actionOf(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return null;
  if (/^[1-5]$/.test(event.key)) return { what: "label", value: Number(event.key) - 1 };
  return { m: { what: "mark" }, u: { what: "undo" }, "/": { what: "note" } }[event.key] ?? null;
}

// `id`: null where the browser does not know yet which sample stands at this place.
export function press(review, component, { what, value = null, id = null, at = review.at }) {
  if (!component.data.marking) return; // nobody hears it
  review.count += 1;
  review.presses.push({ n: review.count, what, value, id, at });
  if (what === "seen") {
    clearTimeout(review.timer);
    review.timer = later(() => component.setStateValue("presses", [...review.presses]), QUIET);
  } else component.setStateValue("presses", [...review.presses]);
}

export function forgetKept(review, kept) {
  review.presses = review.presses.filter(({ n }) => n > kept);
  review.count = Math.max(review.count, kept);
}

// ------------------------------------------------------------------------------------------------------- whose they are

const PERSON = "fas person"; // the name as this browser remembers it: it is in no address

// The name is a press like others, so that what is pressed after it is heard under it. The server says null until it has
// heard a name in this session, and "" where a person has taken it back.
export function personOf(review, component) {
  if (!component.data.marking) return "";
  const { person } = component.data.marking;
  const pending = review.presses.findLast(({ what }) => what === "name");
  if (pending) return pending.value;
  if (person !== null) {
    if (person) window.localStorage.setItem(PERSON, person);
    else window.localStorage.removeItem(PERSON);
    return person;
  }
  const remembered = window.localStorage.getItem(PERSON);
  if (remembered) press(review, component, { what: "name", value: remembered, id: "" });
  return remembered ?? "";
}

// Nobody's labels are worth little: a name is asked for first, and the label is given with it.
export function askName(place, review, component, onDone) {
  openField(place, {
    label: "Your name",
    text: "",
    hint: "Your name first: whose labels are these?",
    onDone: (value, isByKey) => {
      if (value) press(review, component, { what: "name", value, id: "" });
      onDone(Boolean(value), isByKey);
    },
  });
}

export const labelsBy = (person) => (person ? `labels by ${person}` : "labels: no name yet");

// Whether a key that was pressed somewhere on the page is for the list: nothing that takes text, or keys of its own, has it.
export function isFree(event) {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return false;
  return !event.composedPath().some((node) => node instanceof Element && node.matches(TAKERS));
}

const TAKERS =
  "input, textarea, select, [contenteditable]:not([contenteditable=false]), [role=combobox], [role=listbox], " +
  "[role=slider], [role=menu], [data-testid=stPopoverBody]";

// What a person says of a card, those presses included that the server has not heard yet.
export function saidOf(review, card) {
  const pending = [];
  for (const sent of review.presses) {
    if (sent.what === "undo") pending.pop();
    else if (sent.what !== "seen" && sent.what !== "name") pending.push(sent);
  }
  const said = { marked: card.marked, label: card.label, note: card.own };
  for (const { what, value, id } of pending) {
    if (id !== card.id) continue;
    if (what === "mark") said.marked = value;
    else if (what === "label") said.label = value;
    else said.note = value;
  }
  return said;
}

// The key of an action as a press: what is given already is taken back.
export function pressedOn(review, card, { what, value }, labels) {
  if (!card) return { what, value };
  const said = saidOf(review, card);
  if (what === "mark") return { what, value: !said.marked, id: card.id };
  if (what === "label") return { what, value: said.label === labels[value] ? "" : labels[value], id: card.id };
  return { what, value, id: card.id };
}

// Asks the server for the samples around a place. While it answers, others may be gone to: the last one is asked next.
export function ask(review, component, to) {
  if (review.isWaiting && Date.now() - review.asked < LOST) return;
  review.isWaiting = true;
  review.asked = Math.max(Date.now(), review.asked + 1);
  component.setStateValue("place", { n: review.asked, to });
}

// Whether what was drawn is where a key or the server led to, and not what else may have changed.
export function hasArrived(review, { asked, go }) {
  const isAnswer = review.isWaiting && asked >= review.asked;
  if (isAnswer) review.isWaiting = false;
  if (!go || go.n <= review.gone) return isAnswer;
  review.gone = go.n;
  review.at = go.to;
  return true;
}

// Called before another sample is gone to.
export function leave(review, component, card, isReviewing) {
  const now = performance.now();
  if (isReviewing && card && now - review.since > LOOKED_AT) press(review, component, { what: "seen", id: card.id });
  review.since = now;
}

// A field for a line of text in a place on the page: Enter and leaving it keep what is written, Escape does not.
export function openField(place, { label, text, hint, onDone }) {
  place.querySelector(".note-field")?.remove();
  const field = document.createElement("input");
  field.className = "note-field";
  field.maxLength = 2000;
  field.value = text;
  field.placeholder = `${hint} Enter keeps it, Escape does not`;
  field.setAttribute("aria-label", label);
  let isOpen = true;
  const close = (value, isByKey) => {
    if (!isOpen) return;
    isOpen = false;
    field.remove();
    onDone(value === null || value.trim() === text ? null : value.trim(), isByKey);
  };
  field.addEventListener("keydown", (event) => {
    event.stopPropagation(); // letters are no keys here, neither of ours nor of the page's
    if (event.key === "Enter") close(field.value, true);
    else if (event.key === "Escape") close(null, true);
    else return;
    event.preventDefault();
  });
  field.addEventListener("blur", () => close(field.value, false));
  place.append(field);
  field.focus();
  field.select();
}
