// One sample in linked panes: see zoom.py. What is zoomed or moved in one is zoomed or moved in all of them.

import { bytesOf, isPicture, number, paint, scaleBar } from "./colours.js";
import { element } from "./nodes.js";

const MOST = 32; // times
const FRAMES = [
  { colour: "#000000", half: 5 },
  { colour: "#ffffff", half: 4 },
]; // around the pixel that is read, and their least half width

function shown(root) {
  return states.get(root);
}
const states = new WeakMap(); // root -> { panels, sources, view, at, id }

function makePane() {
  const pane = element("figure", "pane");
  const canvas = element("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  const caption = element("figcaption");
  caption.append(element("span", "name"), element("span", "value"));
  pane.append(canvas, caption);
  return pane;
}

// view: zoom (1 = the whole image) and the image position of the pane's left upper corner, both in shares of the image
function clamp(view) {
  view.zoom = Math.min(MOST, Math.max(1, view.zoom));
  const most = 1 - 1 / view.zoom;
  view.x = Math.min(most, Math.max(0, view.x));
  view.y = Math.min(most, Math.max(0, view.y));
}

function draw(root) {
  const { panels, sources, view, at } = shown(root);
  [...root.querySelectorAll(".pane")].forEach((pane, p) => {
    const canvas = pane.firstChild;
    const side = Math.round(canvas.clientWidth * window.devicePixelRatio) || 1;
    if (canvas.width !== side || canvas.height !== side) Object.assign(canvas, { width: side, height: side });
    const context = canvas.getContext("2d");
    const { width, height } = panels[p];
    context.imageSmoothingEnabled = (side * view.zoom) / width < 1;
    const part = [view.x * width, view.y * height, width / view.zoom, height / view.zoom];
    context.drawImage(sources[p].canvas, ...part, 0, 0, side, side);
    pane.querySelector(".value").textContent = at ? valueAt(panels[p], sources[p].bytes, at) : "";
    if (!at) return;
    const x = ((at.x * width + 0.5) / width - view.x) * view.zoom * side;
    const y = ((at.y * height + 0.5) / height - view.y) * view.zoom * side;
    context.lineWidth = Math.max(1, window.devicePixelRatio);
    for (const { colour, half } of FRAMES) {
      context.strokeStyle = colour;
      const reach = Math.max(half, (side * view.zoom) / width / 2);
      context.strokeRect(x - reach, y - reach, 2 * reach, 2 * reach);
    }
  });
  root.querySelector(".factor").textContent = `${Number(view.zoom.toFixed(1))}×`;
  const { width, height } = panels[0];
  root.querySelector(".at").textContent = at
    ? `column ${Math.round(at.x * width)}, row ${Math.round(at.y * height)}`
    : "point at a pixel to read it";
}

function valueAt(panel, bytes, at) {
  const pixel = Math.round(at.y * panel.height) * panel.width + Math.round(at.x * panel.width);
  if (panel.palette === "colour") return [0, 1, 2].map((c) => number(bytes[3 * pixel + c] / 255)).join(" ");
  const byte = bytes[pixel];
  const value = panel.low + (byte / 255) * (panel.high - panel.low);
  if (byte === 255 && panel.palette !== "gray") return `≥ ${number(panel.high)}`;
  if (byte === 0 && panel.low < 0) return `≤ ${number(panel.low)}`;
  return number(value);
}

function pointed(root, event) {
  const { view, panels } = shown(root);
  const box = event.currentTarget.getBoundingClientRect();
  const share = { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  const inside = (value, size) => Math.min(size - 1, Math.max(0, Math.floor(value * size))) / size;
  const image = { x: view.x + share.x / view.zoom, y: view.y + share.y / view.zoom };
  return { share, pixel: { x: inside(image.x, panels[0].width), y: inside(image.y, panels[0].height) } };
}

// The place under `share` of the panes stays where it is.
function zoomBy(root, factor, share = { x: 0.5, y: 0.5 }) {
  const { view } = shown(root);
  const x = view.x + share.x / view.zoom;
  const y = view.y + share.y / view.zoom;
  view.zoom = Math.min(MOST, Math.max(1, view.zoom * factor));
  view.x = x - share.x / view.zoom;
  view.y = y - share.y / view.zoom;
  clamp(view);
  draw(root);
}

function moveBy(root, x, y) {
  const { view } = shown(root);
  view.x += x / view.zoom;
  view.y += y / view.zoom;
  clamp(view);
  draw(root);
}

function whole(root) {
  Object.assign(shown(root).view, { zoom: 1, x: 0, y: 0 });
  draw(root);
}

function listen(root, canvas) {
  let from = null;
  canvas.addEventListener("pointerdown", (event) => {
    from = event;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointerup", () => (from = null));
  canvas.addEventListener("pointercancel", () => (from = null));
  canvas.addEventListener("pointerleave", () => {
    shown(root).at = null;
    draw(root);
  });
  canvas.addEventListener("pointermove", (event) => {
    shown(root).at = pointed(root, event).pixel;
    const box = canvas.getBoundingClientRect();
    if (from) {
      moveBy(root, (from.clientX - event.clientX) / box.width, (from.clientY - event.clientY) / box.height);
      from = event;
    } else draw(root);
  });
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoomBy(root, Math.exp(-event.deltaY / 300), pointed(root, event).share);
    },
    { passive: false },
  );
  canvas.addEventListener("dblclick", () => whole(root));
  canvas.addEventListener("keydown", (event) => {
    const step = 0.125;
    const keys = {
      "+": () => zoomBy(root, 2),
      "=": () => zoomBy(root, 2),
      "-": () => zoomBy(root, 0.5),
      0: () => whole(root),
      ArrowLeft: () => moveBy(root, -step, 0),
      ArrowRight: () => moveBy(root, step, 0),
      ArrowUp: () => moveBy(root, 0, -step),
      ArrowDown: () => moveBy(root, 0, step),
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
}

export default function (component) {
  const { data, parentElement } = component;
  const { panels, pixels, id } = data;
  const root = parentElement.querySelector(".zoom");
  const panes = root.querySelector(".panes");
  if (!states.has(root)) {
    const again = new ResizeObserver(() => draw(root));
    states.set(root, { view: { zoom: 1, x: 0, y: 0 }, at: null, again });
    for (const [name, work] of [
      ["in", () => zoomBy(root, 2)],
      ["out", () => zoomBy(root, 0.5)],
      ["whole", () => whole(root)],
    ]) {
      root.querySelector(`.${name}`).addEventListener("click", work);
    }
  }
  const state = shown(root);
  while (panes.children.length > panels.length) panes.lastChild.remove();
  while (panes.children.length < panels.length) {
    const pane = makePane();
    listen(root, pane.firstChild);
    panes.append(pane);
  }
  if (state.id !== id) Object.assign(state, { id, at: null }); // the same part of the next sample is shown
  state.panels = panels;
  state.sources = panels.map((panel, p) => {
    const bytes = bytesOf(panels, pixels, p, 0);
    const canvas = element("canvas");
    paint(canvas, bytes, panel.width, panel.height, panel.palette);
    return { bytes, canvas };
  });
  const bars = root.querySelector(".bars");
  bars.replaceChildren(...panels.filter((panel) => !isPicture(panel)).map(scaleBar));
  panels.forEach((panel, p) => {
    const [canvas, caption] = panes.children[p].children;
    caption.firstChild.textContent = panel.name;
    canvas.setAttribute(
      "aria-label",
      `${panel.name} of ${id}; plus and minus zoom, arrows move, 0 shows the whole image`,
    );
    state.again.observe(canvas);
  });
  draw(root);
  return () => state.again.disconnect();
}
