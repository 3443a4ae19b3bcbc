// The numbers of the threshold component: counts, rates, their words, and the axis of scores. See threshold.py.

import { grouped } from "./numbers.js";

const TAIL = 0.06; // of the axis of scores, for outliers at either end
export const NBSP = "\u00a0";

// ------------------------------------------------------------------------------------------------- counts and rates

// How many of the ascending scores are below t, that is not called an attack.
export function below(scores, t) {
  let low = 0;
  let high = scores.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (scores[middle] < t) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function notAbove(scores, t) {
  let low = 0;
  let high = scores.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (scores[middle] <= t) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Bounds of the share at or above the threshold, and of a group that of its errors, between the two counts of the grid that are nearest to this one.
function bounds(band, count) {
  if (!band) return null;
  const { counts, low, high, upper } = band; // counts descend
  let first = 0;
  let last = counts.length - 1;
  while (first < last) {
    const middle = (first + last) >>> 1;
    if (counts[middle] > count) first = middle + 1;
    else last = middle;
  }
  if (first === 0 || counts[first] >= count) return [low[first], high[first], upper?.[first]];
  const part = (counts[first - 1] - count) / (counts[first - 1] - counts[first]);
  const mix = (values) => values[first - 1] + part * (values[first] - values[first - 1]);
  return [mix(low), mix(high), upper && mix(upper)];
}

// Errors of a cell or group of which so many samples are at or above the threshold; null without samples. `interval`: its
// two ends; `upper`: of a group, the one-sided bound that a limit is held against; `trials`: independent ones, 0 where
// nothing is known of others.
export function rateOf(thing, above, isAttack) {
  if (!thing.n) return null;
  const errors = isAttack ? thing.n - above : above;
  const found = bounds(thing.band, above);
  const [low, high, upper] = found ?? [];
  const interval = found && (isAttack ? [1 - high, 1 - low] : [low, high]);
  return {
    errors,
    n: thing.n,
    value: errors / thing.n,
    interval,
    upper,
    trials: found ? thing.n_units : 0,
  };
}

// Everything that follows from a threshold: per cell how many are at or above it, per group its rate, and the species
// that passes most, the first by name among equals.
export function counted({ cells, groups, species }, t) {
  const above = cells.map((cell) => cell.scores.length - below(cell.scores, t));
  const rates = new Map();
  for (const group of groups) {
    let sum = 0;
    for (const i of group.cells) sum += above[i];
    rates.set(group, rateOf(group, sum, group.kind !== "bona_fide"));
  }
  let worst = null;
  for (const group of species) {
    if (rates.get(group) && (!worst || rates.get(group).value > rates.get(worst).value)) worst = group;
  }
  return { above, rates, worst };
}

// Inverse of the normal distribution function, from a table of its integral.
const STEP = 0.001;
const NORMAL = (() => {
  const table = new Float64Array(8 / STEP + 1); // from -8 to 0
  const density = (z) => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
  for (let i = 1; i < table.length; i++) {
    const z = -8 + (i - 1) * STEP;
    table[i] = table[i - 1] + (STEP / 6) * (density(z) + 4 * density(z + STEP / 2) + density(z + STEP));
  }
  return table;
})();

export function probit(share) {
  if (share > 0.5) return -probit(1 - share);
  const i = Math.min(Math.max(below(NORMAL, share), 1), NORMAL.length - 1);
  return -8 + STEP * (i - 1 + (share - NORMAL[i - 1]) / (NORMAL[i] - NORMAL[i - 1]));
}

// ------------------------------------------------------------------------------------------------- numbers in words

// As everywhere (words.py): a tenth of a percent from a hundred independent trials on.
export const digitsOf = (trials) => (trials < 100 ? 0 : 1);

export function percent(share, digits) {
  const text = (100 * share).toFixed(digits);
  if (share > 0 && Number(text) === 0) return `<${(10 ** -digits).toFixed(digits)}${NBSP}%`;
  if (share < 1 && Number(text) === 100) return `>${(100 - 10 ** -digits).toFixed(digits)}${NBSP}%`;
  return `${share === 0 || share === 1 ? 100 * share : text}${NBSP}%`;
}

function intervalText(rate) {
  if (!rate.interval) return "";
  const digits = digitsOf(rate.trials);
  const [low, high] = rate.interval.map((bound) => 100 * bound);
  const close = (value) => value.toFixed(value < 10 ? 1 : 0);
  if (rate.errors === 0) return `(≤${NBSP}${close(high)}${NBSP}%)`;
  if (rate.errors === rate.n) return `(≥${NBSP}${low > 90 ? low.toFixed(1) : low.toFixed(0)}${NBSP}%)`;
  return `(${low.toFixed(digits)}–${high.toFixed(digits)})`;
}

export function rateText(rate) {
  if (!rate) return "–";
  return `${percent(rate.value, digitsOf(rate.trials))} ${intervalText(rate)}`.trim();
}

// ---------------------------------------------------------------------------------------------------------- a limit

export const limitText = (share) => `${Number((100 * share).toPrecision(6))}${NBSP}%`;

// Whether a rate keeps to a limit: by itself and by its upper bound, also where that takes all samples for different
// people ("assumed"), by itself alone, or not.
export function standing(rate, limit, unit) {
  if (rate.value > limit) return "above";
  if (!(rate.upper <= limit)) return "unproven"; // without a bound nothing is proven
  return unit === "subject" ? "met" : "assumed";
}

// As `limits.held_words`, which says it everywhere else: within 2 %, not proven: upper bound 2.4 %.
export function heldWords(held, rate, limit, unit) {
  if (held === "above") return `above ${limitText(limit)}`;
  const proof = {
    met: ", proven",
    unproven: ", not proven",
    assumed: ` if all ${unit}s are of different people`,
  }[held];
  const bound = rate.upper === undefined ? "all are of one subject" : `upper bound ${shareText(rate.upper, limit)}`;
  return `within ${limitText(limit)}${proof}: ${bound}`;
}

// As `limits.share_text`: a share on its side of a limit.
function shareText(share, limit) {
  let digits = 1;
  const text = () => (100 * share).toFixed(digits);
  while (digits < 12 && Number(text()) > 100 * limit !== share > limit) digits += 1;
  return `${text()}${NBSP}%`;
}

// A rate with the digits that leave it on its side of a limit: 2.04 % beside 2 % is not "2.0 %".
export function percentBeside(rate, limit) {
  const usual = digitsOf(rate.trials);
  let digits = usual;
  const isAbove = (text) => Number(text) > 100 * limit;
  while (digits < 12 && isAbove((100 * rate.value).toFixed(digits)) !== rate.value > limit) digits += 1;
  if (digits === usual) return rateText(rate);
  return `${(100 * rate.value).toFixed(digits)}${NBSP}% ${intervalText(rate)}`.trim();
}

// What an interval is made of.
export function source(thing) {
  if (!thing.band) return `No interval: all are of one ${thing.by}`;
  return `95 % interval by ${thing.by}, n = ${grouped(thing.n_units)}`;
}

// A score with some significant digits, as people write it.
export function number(value, digits = 4) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const short = Number(value.toPrecision(digits));
  const size = Math.abs(short);
  const text = size !== 0 && (size < 1e-4 || size >= 1e15) ? short.toExponential() : String(short);
  return text.replace(/-/g, "−");
}

export const many = (n, one, more = `${one}s`) => `${grouped(n)} ${n === 1 ? one : more}`;

// ------------------------------------------------------------------------------------------------------------- axes

// Scores -> pixels: linear between the percentiles in `view`; what lies beyond, if far, has a narrow zone at the end.
export function scoreAxis(view, limits, start, end) {
  const lowest = Math.min(limits[0], view[0]);
  const highest = Math.max(limits[1], view[1]);
  const room = 0.15 * (view[1] - view[0]);
  const tails = [view[0] - lowest > room, highest - view[1] > room];
  const low = tails[0] ? view[0] : lowest;
  const high = tails[1] ? view[1] : highest;
  const left = start + (tails[0] ? TAIL * (end - start) : 0);
  const right = end - (tails[1] ? TAIL * (end - start) : 0);
  const pixel = (t) => {
    if (t <= low) return tails[0] ? start + ((Math.max(t, lowest) - lowest) / (low - lowest)) * (left - start) : left;
    if (t >= high) return tails[1] ? right + ((Math.min(t, highest) - high) / (highest - high)) * (end - right) : right;
    return left + ((t - low) / (high - low)) * (right - left);
  };
  const score = (x) => {
    if (x <= start) return lowest;
    if (x >= end) return highest;
    if (x < left) return lowest + ((x - start) / (left - start)) * (low - lowest);
    if (x > right) return high + ((x - right) / (end - right)) * (highest - high);
    return low + ((x - left) / (right - left)) * (high - low);
  };
  return {
    pixel,
    score,
    start,
    end,
    left,
    right,
    low,
    high,
    lowest,
    highest,
    tails,
  };
}
