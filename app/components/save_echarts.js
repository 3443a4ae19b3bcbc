// Streamlit's ECharts as files. The library is in Streamlit's own bundle: it is reached through a chart that is drawn.

import { LOOKS } from "./save_picture.js";

const QUIET = "#888888";
const text = { color: LOOKS.ink, fontFamily: LOOKS.face };
const axis = {
  axisLine: { lineStyle: { color: QUIET } },
  axisTick: { lineStyle: { color: QUIET } },
  axisLabel: { ...text, textBorderColor: LOOKS.ground, textBorderWidth: 0 },
  nameTextStyle: text,
  splitLine: { lineStyle: { color: "#e2e2e2" } },
};
// Over the theme of the screen, of which the rest is kept.
const PAPER = {
  backgroundColor: LOOKS.ground,
  darkMode: false,
  textStyle: text,
  ...{ categoryAxis: axis, valueAxis: axis, logAxis: axis, timeAxis: axis },
  legend: { textStyle: text, inactiveColor: "#bbbbbb" },
  visualMap: { textStyle: text },
};

function merged(under, over) {
  const isPlain = (value) => value && typeof value === "object" && !Array.isArray(value);
  if (!isPlain(under) || !isPlain(over)) return over ?? under;
  const names = new Set([...Object.keys(under), ...Object.keys(over)]);
  return Object.fromEntries([...names].map((name) => [name, merged(under[name], over[name])]));
}

/**
 * The chart in a node of Streamlit's: it is in the state of the React component that draws it. null: none, or not yet.
 * @param {Element} node
 */
export function chartIn(node) {
  const fibers = Object.keys(node).find((name) => name.startsWith("__reactFiber$"));
  for (let fiber = node[fibers]; fiber; fiber = fiber.return) {
    for (let hook = fiber.memoizedState; hook && typeof hook === "object" && "next" in hook; hook = hook.next) {
      if (typeof hook.memoizedState?.renderToSVGString === "function") return hook.memoizedState;
    }
  }
  return null;
}

const given = (chart) => chart._model._optionManager._optionBackup.baseOption; // without the theme's colours
const listed = (value) => (Array.isArray(value) ? value : value ? [value] : []);

// Names that the legend has switched off.
function switchedOff(chart) {
  const off = new Set();
  for (const { selected } of listed(chart.getOption().legend)) {
    for (const [name, isOn] of Object.entries(selected ?? {})) if (!isOn) off.add(name);
  }
  return off;
}

// Legends without what they have switched off, which is not drawn either.
function legendsOf(chart) {
  const off = switchedOff(chart);
  return listed(chart.getOption().legend).map(({ selected, data }) => ({
    selected,
    data: data?.filter((entry) => !off.has(entry.name ?? entry)),
  }));
}

/** The chart drawn again on paper, without what its legend has switched off, and with all of its axes. */
export function drawingOfChart(chart) {
  const [width, height] = [chart.getWidth(), chart.getHeight()];
  const again = new chart.constructor(null, merged(chart._theme, PAPER), { renderer: "svg", ssr: true, width, height });
  try {
    again.setOption({ ...given(chart), animation: false });
    const legend = legendsOf(chart);
    if (legend.length) again.setOption({ legend });
    const svg = again.renderToSVGString();
    return { body: svg.replace("<svg ", '<svg overflow="visible" '), width, height };
  } finally {
    again.dispose();
  }
}

// How a series is seen; null where it is not, but says what the pointer reads.
function drawnAs({ type, lineStyle, itemStyle, areaStyle, symbolSize }) {
  if (type === "line" && lineStyle?.opacity === 0) return areaStyle ? "area" : null;
  if (itemStyle?.opacity === 0 || symbolSize === 0) return null;
  return type === "scatter" ? "points" : type;
}

/**
 * What is drawn, zoomed or not: the table that the chart comes with, or of every series by its name the places.
 * @returns {{ heads: string[], rows: any[][] }}
 */
export function tableOfChart(chart) {
  const option = given(chart);
  const off = switchedOff(chart);
  const [own] = listed(option.dataset);
  if (own) {
    const [heads, ...rows] = own.source;
    return { heads, rows: rows.filter(([series]) => !off.has(series)) };
  }
  const axes = [listed(option.xAxis)[0], listed(option.yAxis)[0]];
  const heads = ["series", "drawn as", ...axes.map(({ name }, i) => name || "xy"[i])];
  const rows = [];
  for (const series of listed(option.series)) {
    const name = series.name ?? series.id;
    const seen = drawnAs(series);
    if (!name || !seen || off.has(series.name)) continue;
    for (const item of series.data ?? []) {
      const [x, y] = item.value ?? item;
      rows.push([name, seen, x, y === "-" ? null : y]);
    }
  }
  return { heads, rows };
}
