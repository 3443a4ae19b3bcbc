// Streamlit's Plotly charts as files: the drawings that are on the page, in the letters and colours of paper.

import { LOOKS } from "./save_picture.js";

const TOOLS = ".hoverlayer, .draglayer"; // of the pointer

// One of the drawings that lie over each other.
function onPaper(svg) {
  const copy = svg.cloneNode(true);
  copy.removeAttribute("style");
  for (const node of copy.querySelectorAll(TOOLS)) node.remove();
  for (const node of copy.querySelectorAll("text")) {
    node.style.fontFamily = LOOKS.face;
    node.style.fill = LOOKS.ink;
    for (const name of node.getAttributeNames()) if (name.startsWith("data-")) node.removeAttribute(name);
  }
  return new XMLSerializer().serializeToString(copy);
}

/** @param {any} plot the node that Plotly draws in */
export function drawingOfPlot(plot) {
  const { width, height } = plot._fullLayout;
  return { body: [...plot.querySelectorAll("svg.main-svg")].map(onPaper).join("\n"), width, height };
}

/** What is drawn of every trace that the legend has not switched off, by its name. */
export function tableOfPlot(plot) {
  const { xaxis, yaxis } = plot._fullLayout;
  const rows = [];
  for (const { name, mode, x, y, visible } of plot._fullData) {
    if (visible !== true) continue;
    for (let i = 0; i < x.length; i++) if (!Number.isNaN(Number(x[i]))) rows.push([name, mode, x[i], y[i]]);
  }
  return { heads: ["series", "drawn as", xaxis.title.text || "x", yaxis.title.text || "y"], rows };
}
