// A drawing with its caption, ready for paper: black on white whatever the theme of the screen.

import { SvgContext } from "./save_canvas.js";
import { escapedXml } from "./save_text.js";

export const LOOKS = { ink: "#222222", ground: "#ffffff", face: "Arial, Helvetica, sans-serif" };
const PAD = 12;
const LINE = 15; // pixels of a line of the caption
const MOST_LINES = 4; // of it, in what is seen; all of it is in the description
const SHARPNESS = 2; // pixels of a PNG per pixel of the screen

// Lines of a text that are no wider than a picture.
function wrapped(context, text, width) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (context.measureText(longer).width <= width || !lines.at(-1)) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  if (lines.length > MOST_LINES) lines.splice(MOST_LINES - 1, Infinity, `${lines[MOST_LINES - 1]} …`);
  return lines;
}

// Entries of a legend side by side, in as many rows as they need; returns where the next row would begin.
function drawKeys(context, keys, width, top) {
  let [x, y] = [0, top + 8];
  for (const { words, colour, hollow, outline } of keys) {
    const wide = 20 + context.measureText(words).width + 14;
    if (x && x + wide > width) [x, y] = [0, y + 18];
    context.beginPath();
    if (outline) for (const [dx, dy] of outline) context.lineTo(x + 6 + 5 * dx, y + 5 * dy);
    else context.arc(x + 6, y, 4.5);
    if (outline) context.closePath();
    Object.assign(context, { fillStyle: colour, strokeStyle: colour, lineWidth: 1.5, textAlign: "left" });
    if (!hollow) context.fill();
    context.stroke();
    context.fillStyle = LOOKS.ink;
    context.fillText(words, x + 18, y);
    x += wide;
  }
  return keys.length ? y + 16 : top;
}

/**
 * An SVG that stands on its own.
 * @param {{ body: string, width: number, height: number, keys?: import("./save_offers.js").Key[] }} drawing
 * @param {string} words what it shows
 * @param {string} source whose numbers these are
 */
export function svgOf({ body, width, height, keys = [] }, words, source) {
  const context = new SvgContext();
  Object.assign(context, { font: `12px ${LOOKS.face}`, textBaseline: "middle", fillStyle: LOOKS.ink });
  let y = drawKeys(context, keys, width, height) + LINE / 2 + 8;
  context.font = `11px ${LOOKS.face}`;
  for (const line of [...wrapped(context, words, width), ...wrapped(context, source, width)]) {
    context.fillText(line, 0, y);
    y += LINE;
  }
  const [wide, high] = [Math.ceil(width + 2 * PAD), Math.ceil(y - LINE / 2 + 2 * PAD)];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${wide}" height="${high}" viewBox="0 0 ${wide} ${high}">`,
    `<title>${escapedXml(words)}</title>`,
    `<desc>${escapedXml(`${words}\n${source}`)}</desc>`,
    `<rect width="${wide}" height="${high}" fill="${LOOKS.ground}"/>`,
    `<g transform="translate(${PAD} ${PAD})">`,
    body,
    context.body,
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

/**
 * The same as pixels.
 * @param {string} svg
 * @returns {Promise<Blob>}
 */
export async function pngOf(svg) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    await image.decode();
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: SHARPNESS * image.naturalWidth, height: SHARPNESS * image.naturalHeight });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

/** @param {import("./save_offers.js").Offer} offer */
export function drawingOf(offer) {
  const context = new SvgContext();
  context.fillStyle = LOOKS.ink;
  offer.draw(context, LOOKS);
  return { body: context.body, keys: offer.keys(), ...offer.size() };
}
