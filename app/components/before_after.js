// Two images of one sample over each other: see before_after.py. Called again on the same nodes whenever the data change.

import { bytesOf, paint } from "./colours.js";
import { element } from "./nodes.js";

const given = new WeakMap(); // root -> the data drawn last

function fill(select, panels, first) {
  const before = select.selectedOptions[0]?.textContent;
  select.replaceChildren(...panels.map((panel, i) => Object.assign(element("option", "", panel.name), { value: i })));
  const kept = panels.findIndex((panel) => panel.name === before);
  select.selectedIndex = kept < 0 ? Math.min(first, panels.length - 1) : kept;
}

function draw(root) {
  const { id, panels, pixels } = given.get(root);
  const names = ["left", "right"].map((side) => {
    const p = root.querySelector(`select.${side}`).selectedIndex;
    const canvas = root.querySelector(`canvas.${side}`);
    const panel = panels[p];
    paint(canvas, bytesOf(panels, pixels, p, 0), panel.width, panel.height, panel.palette);
    return panel.name;
  });
  const range = root.querySelector("input");
  root.querySelector(".stack").style.setProperty("--edge", `${range.value}%`);
  range.setAttribute("aria-label", `Edge between ${names[0]} and ${names[1]} of ${id}`);
  range.setAttribute("aria-valuetext", `${range.value} % ${names[0]}, the rest ${names[1]}`);
}

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".before_after");
  if (!given.has(root)) root.addEventListener("input", () => draw(root));
  given.set(root, data);
  fill(root.querySelector("select.left"), data.panels, 0);
  fill(root.querySelector("select.right"), data.panels, 1);
  draw(root);
}
