// Bytes -> colours, and the bar that says what they stand for.

import { element } from "./nodes.js";

const ANCHORS = {
  gray: ["#000000", "#ffffff"],
  // Inferno: brightness rises evenly, so equal steps of error look equal, also without colour vision.
  error: ["#000004", "#1b0c41", "#4a0c6b", "#781c6d", "#a52c60", "#cf4446", "#ed6925", "#fb9b06", "#f7d13d", "#fcffa4"],
  signed: ["#2166ac", "#67a9cf", "#d1e5f0", "#f7f7f7", "#fddbc7", "#ef8a62", "#b2182b"],
};

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

let sheet = null; // what was painted last: hundreds of images of one size need no memory of their own

export function paint(canvas, bytes, width, height, palette) {
  paintRow(canvas, [{ bytes, palette }], width, height, 0);
}

// Images of one size on one canvas, `gap` of its pixels apart.
export function paintRow(canvas, images, width, height, gap) {
  const across = images.length * (width + gap) - gap;
  if (canvas.width !== across || canvas.height !== height) Object.assign(canvas, { width: across, height });
  // Drawn once and by hand: without this, every canvas takes its way through the graphics card, or what stands in for it.
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (sheet?.width !== across || sheet.height !== height) sheet = new ImageData(across, height);
  const pixels = new Uint32Array(sheet.data.buffer);
  if (gap) pixels.fill(0);
  images.forEach(({ bytes, palette }, at) => {
    for (let y = 0; y < height; y++) {
      const to = y * across + at * (width + gap);
      if (palette === "colour") fillColour(pixels, to, bytes, y * width, width);
      else fillScale(pixels, to, bytes, y * width, width, COLOURS[palette]);
    }
  });
  context.putImageData(sheet, 0, 0);
}

function fillScale(pixels, to, bytes, from, n, colours) {
  for (let i = 0; i < n; i++) pixels[to + i] = colours[bytes[from + i]];
}

function fillColour(pixels, to, bytes, from, n) {
  for (let i = 0, at = 3 * from; i < n; i++, at += 3)
    pixels[to + i] = (255 << 24) | (bytes[at + 2] << 16) | (bytes[at + 1] << 8) | bytes[at];
}

// Whether a panel's bytes are the picture itself, not numbers on a scale.
export const isPicture = (panel) => panel.palette === "gray" || panel.palette === "colour";

// The palette of the bytes of a picture: one or three of each pixel.
export const paletteOf = (bytes, width, height) => (bytes.length > width * height ? "colour" : "gray");

// The bytes of one image of a panel: its own, or the difference of two others on the panel's scale.
export function bytesOf(panels, pixels, p, index) {
  const { sources, scale } = panels[p];
  if (!sources.length) return pixels.getChild(`p${p}`).get(index);
  const [first, second] = sources.map((source) => pixels.getChild(`p${source}`).get(index));
  const bytes = new Uint8Array(first.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = scale[first[i] - second[i] + 255];
  return bytes;
}

export function number(value) {
  return String(Number(value.toFixed(3))).replace("-", "−");
}

const TITLES = { signed: "original − reconstruction", error: "|original − reconstruction|" };

export function scaleBar(panel) {
  const bar = element("span", "bar");
  const canvas = element("canvas");
  canvas.setAttribute("role", "img");
  const title = panel.unit || TITLES[panel.palette];
  canvas.setAttribute("aria-label", `Colour scale of ${title} from ${number(panel.low)} to ${number(panel.high)}`);
  paint(
    canvas,
    Uint8Array.from({ length: 256 }, (_, i) => i),
    256,
    1,
    panel.palette,
  );
  const bottom = panel.low < 0 ? `${number(panel.low)} or less` : number(panel.low);
  bar.append(
    element("span", "", title),
    element("span", "", bottom),
    canvas,
    element("span", "", `${number(panel.high)} or more`),
  );
  return bar;
}
