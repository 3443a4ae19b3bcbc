// What the threshold component's nodes are made of. Texts from data go through text nodes only.

import { element } from "./nodes.js";

// A text node that is written only when its text changes.
export function say(node, text) {
  if (node.data !== text) node.data = text;
}

export function textIn(parent) {
  const node = document.createTextNode("");
  parent.append(node);
  return node;
}

// Text that changes at every event, in a box whose size does not depend on it: nothing else is laid out anew.
export function liveText(parent) {
  const box = element("span", "live");
  parent.append(box);
  return textIn(box);
}

export function chip(style) {
  const made = element("span", style.hollow ? "chip hollow" : "chip");
  made.style.setProperty("--chip", style.colour);
  return made;
}

export function abbreviation(short, meaning) {
  const made = element("abbr", "", short);
  made.title = meaning;
  return made;
}
