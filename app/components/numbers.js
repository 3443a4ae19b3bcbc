// Numbers as people read them.

/** Round numbers of an axis from low to high, at most about as many as wanted. */
export function ticksBetween(low, high, about) {
  const power = 10 ** Math.floor(Math.log10((high - low) / about));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => (high - low) / s <= about);
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

export const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
