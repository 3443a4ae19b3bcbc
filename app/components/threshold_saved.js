// The charts of the threshold component as files: see saving.js.

import { offerToSave } from "./save_offers.js";
import { counted, rateOf } from "./threshold_counts.js";

/** @typedef {import("./threshold_layout.js").Layout} Layout */
/** @typedef {import("./threshold_drawing.js").Layer} Layer */

// A layer drawn on another context: what stays and what moves, in the looks of paper.
function redraw(panel, layer, context, looks, draw) {
  const { stillContext, overContext } = layer;
  Object.assign(layer, { stillContext: context, overContext: context });
  const face = `12px ${looks.face}`;
  Object.assign(panel, { ink: looks.ink, ground: looks.ground, face, strong: `600 ${face}` });
  try {
    draw();
  } finally {
    Object.assign(layer, { stillContext, overContext });
    panel.readTheme();
  }
}

function histograms(panel) {
  const { edges } = panel.bins();
  const { above } = counted(panel, panel.t);
  const heads = ["subset", "species", "from", "to", "samples", "threshold", "wrong at threshold"];
  const rows = panel.cells.flatMap((cell, i) => {
    const wrong = rateOf(cell, above[i], cell.species !== "")?.value;
    const whose = [cell.subset, cell.species || "bona_fide"];
    const counts = panel.histogram(cell.scores, edges);
    return counts.map((n, bin) => [...whose, edges[bin], edges[bin + 1], n, panel.t, wrong]);
  });
  return { heads, rows };
}

function errors(panel) {
  const { rates } = counted(panel, panel.t);
  const rows = panel.erring.flatMap((group) => {
    const isLive = group === panel.live;
    const name = isLive ? "BPCER" : `APCER ${group.name}`;
    const curve = panel.errorCurve(group);
    const drawn = Array.from(curve.thresholds, (t, i) => [name, "curve", t, curve.rates[i], null, null]);
    if (panel.isBanded(group)) {
      const { grid, low, high } = group.band;
      const ends = (i) => (isLive ? [low[i], high[i]] : [1 - high[i], 1 - low[i]]);
      drawn.push(...Array.from(grid, (t, i) => [name, "interval", t, null, ...ends(i)]));
    }
    return [...drawn, [name, "threshold", panel.t, rates.get(group)?.value, ...(rates.get(group)?.interval ?? [])]];
  });
  return { heads: ["series", "drawn as", "threshold", "rate", "low95", "high95"], rows };
}

function curves(panel, plane) {
  const { rates } = counted(panel, panel.t);
  const live = rates.get(panel.live);
  /** @type {(bpcer: number, found: number, precision: number) => number[]} */
  const place = {
    roc: (bpcer, found) => [bpcer, found],
    pr: (bpcer, found, precision) => [found, panel.precision(bpcer, found, precision)],
    det: (bpcer, found) => [1 - found, bpcer],
  }[plane.kind];
  const rows = panel.drawn.flatMap((group) => {
    const { bpcer, found, precision, thresholds } = group.curve;
    const drawn = Array.from(thresholds, (t, i) => [
      group.words,
      "curve",
      ...place(bpcer[i], found[i], precision[i]),
      t,
    ]);
    const { n, errors: missed } = rates.get(group);
    const alarms = n - missed + live.errors;
    return [...drawn, [group.words, "threshold", ...place(live.value, 1 - missed / n, (n - missed) / alarms), panel.t]];
  });
  return { heads: ["series", "drawn as", plane.across, plane.up, "threshold"], rows };
}

const key = ({ words, colour }) => ({ words, colour });

/** @param {Layout} panel whose nodes are built */
export function offerCharts(panel) {
  /**
   * @param {HTMLElement} frame
   * @param {Layer} layer
   */
  const offer = (frame, layer, name, table, draw, keys) =>
    offerToSave(frame, {
      ...{ name, table, keys },
      words: () => layer.still.getAttribute("aria-label"),
      size: () => ({ width: layer.width, height: layer.height }),
      draw: (context, looks) => redraw(panel, layer, context, looks, draw),
    });
  const { cellRows, errors: rates } = panel;
  offer(
    panel.rowsBox.parentElement,
    cellRows,
    "distributions",
    () => histograms(panel),
    () => {
      panel.drawCells();
      panel.drawOverCells(counted(panel, panel.t));
    },
    () => [],
  );
  offer(
    rates.box.parentElement,
    rates,
    "errors",
    () => errors(panel),
    () => {
      panel.drawErrors();
      panel.drawOverErrors(counted(panel, panel.t));
    },
    () => panel.erring.map((group) => key(group === panel.live ? { ...group, words: "BPCER, live" } : group)),
  );
  for (const plane of panel.planes) {
    offer(
      plane.square,
      plane,
      plane.kind,
      () => curves(panel, plane),
      () => {
        panel.drawPlane(plane);
        panel.drawOverPlane(plane, counted(panel, panel.t));
      },
      () => panel.drawn.map(key),
    );
  }
}
