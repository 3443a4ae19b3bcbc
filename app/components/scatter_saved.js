// A plot as files: see saving.js. Points are a picture within the drawing, as there may be millions; all else is lines
// and text.

import { offerToSave } from "./save_offers.js";
import { MARGIN } from "./scatter_plane.js";
import { Raster } from "./scatter_raster.js";
import { HIDDEN, NOT_GIVEN, TOP } from "./scatter_shapes.js";

const SHARPNESS = 2; // pixels of the picture per pixel of the screen

/** @typedef {import("./scatter_linked.js").Linked} Linked */

function points(plot) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: SHARPNESS * plot.width, height: SHARPNESS * plot.height });
  const raster = new Raster(canvas);
  raster.setPoints(plot.points);
  raster.setCodes(plot.codes);
  raster.setFlags(plot.flags);
  raster.draw(plot.scene(1));
  return canvas;
}

function draw(plot, context, looks) {
  const { ratio, isOnDark } = plot;
  Object.assign(plot, { ratio: SHARPNESS, isOnDark: false });
  try {
    context.drawImage(points(plot), MARGIN.left, MARGIN.top, plot.width, plot.height);
    plot.drawAround(context, looks);
  } finally {
    Object.assign(plot, { ratio, isOnDark });
  }
}

function keys(plot) {
  const { categories, scale } = plot.data;
  const shown = categories.filter(({ name }) => !plot.off.has(name));
  const ends = scale
    ? [
        { words: `${scale.title} ${scale.low}`, colour: scale.colours[0] },
        { words: scale.high, colour: scale.colours.at(-1) },
      ]
    : [];
  return [
    ...ends,
    ...shown.map(({ words, n, colour, hollow, outline }) => ({ words: `${words} (${n})`, colour, hollow, outline })),
  ];
}

// Every point that is drawn somewhere, zoomed or not, in the axes' own numbers.
function* rows(plot) {
  const { low, ticks, categories, scale, trails } = plot.data;
  const [from, to] = [0, 1].map((end) => [0, 1].map((i) => ticks?.[i][end] ?? low[i] + end * plot.span[i]));
  const place = (axis, share) => Number((from[axis] + share * (to[axis] - from[axis])).toPrecision(7));
  const named = new Map(categories.map((category) => [category.code, category]));
  for (let row = 0; row < plot.data.n; row++) {
    const code = plot.codes[row];
    if (code === HIDDEN) continue;
    const category = named.get(code);
    const isGrey = category && plot.off.has(category.name);
    const colour = category?.words ?? (scale ? (code / (NOT_GIVEN - 1)).toFixed(3) : "");
    const at = [0, 1].map((axis) => place(axis, plot.points[2 * row + axis] / TOP));
    yield [isGrey ? "grey context" : "point", row, ...at, colour, plot.flags[row] ? "selected" : ""];
  }
  for (const { name, places } of trails?.groups ?? []) {
    if (plot.off.has(name)) continue;
    for (const [i, spot] of places.entries()) {
      if (!spot) continue;
      const at = [0, 1].map((axis) => place(axis, (spot[axis] - low[axis]) / plot.span[axis]));
      yield ["trail", trails.steps[i], ...at, name, ""];
    }
  }
}

/** @param {Linked} plot whose nodes are built */
export function offerPlot(plot, frame) {
  offerToSave(frame, {
    get name() {
      return ["points", plot.data.note].join(" ").slice(0, 60);
    },
    words: () => plot.data.words,
    table: () => {
      const { titles, scale, colour } = plot.data;
      const shade = scale ? `${scale.title}, 0 at ${scale.low} to 1 at ${scale.high}` : colour;
      const [x, y] = titles.map((title, i) => title || "xy"[i]);
      return { heads: ["drawn as", "row", x, y, shade, "selection"], rows: rows(plot) };
    },
    size: () => ({
      width: plot.width + MARGIN.left + MARGIN.right,
      height: plot.height + MARGIN.top + MARGIN.bottom,
    }),
    draw: (context, looks) => draw(plot, context, looks),
    keys: () => keys(plot),
  });
}
