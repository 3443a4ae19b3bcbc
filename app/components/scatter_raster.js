import { CONTEXT } from "./scatter_shapes.js";

// Both sum the colours and the number of the points on every pixel, in three layers: grey context, points, selected
// ones. A pixel has its points' mean colour, whatever their order, and is the more opaque the more there are.

// Opacity of `count` points: `first` for one, rising with the logarithm to 1 for `peak`.
export function opacity(count, first, peak) {
  if (count <= 1) return count * first;
  return peak <= 1 ? first : Math.min(1, first + ((1 - first) * Math.log(count)) / Math.log(peak));
}

export class Raster {
  constructor(canvas) {
    this.name = "raster";
    this.context = canvas.getContext("2d");
    this.canvas = canvas;
  }

  setPoints(points) {
    this.points = points;
  }

  setCodes(codes) {
    this.codes = codes;
  }

  setFlags(flags) {
    this.flags = flags;
  }

  // Offsets and weights of a disc's pixels, or of a ring's.
  stamp(radius, width, isHollow) {
    const reach = Math.max(0, Math.ceil(radius - 0.5));
    const made = [];
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++) {
        const d = Math.hypot(x, y);
        let weight = Math.min(1, Math.max(0, radius + 0.5 - d));
        if (isHollow) weight *= Math.min(1, Math.max(0, d - (radius - 1.6 * this.ratio) + 0.5));
        if (weight > 0.05) made.push([4 * (y * width + x), weight]);
      }
    }
    return { offsets: Int32Array.from(made, (m) => m[0]), weights: Float32Array.from(made, (m) => m[1]) };
  }

  draw({ transform, palette, radius, peak, first, dims, every, ratio, n }) {
    const { width, height } = this.canvas;
    this.ratio = ratio;
    const reach = Math.max(0, Math.ceil(radius - 0.5));
    const pad = 2 * reach; // points beyond the edge reach into the picture
    const across = width + 2 * pad;
    const size = 4 * across * (height + 2 * pad);
    if (this.sums?.[0].length !== size) this.sums = [0, 1, 2].map(() => new Float32Array(size));
    else for (const sum of this.sums) sum.fill(0);
    const used = [false, false, false];
    const solid = this.stamp(radius, across, false);
    const ring = radius > 2 * ratio ? this.stamp(radius, across, true) : solid;
    const { points, codes, flags } = this;
    const { au, bu, av, bv } = transform;
    const single = solid.offsets.length === 1;
    for (let i = 0; i < n; i += every) {
      const code = codes[i];
      const kind = palette.kinds[code];
      if (kind === 0) continue;
      const px = Math.floor(au * points[2 * i] + bu); // the pixel that it is on
      const py = Math.floor(av * points[2 * i + 1] + bv);
      if (px < -reach || py < -reach || px >= width + reach || py >= height + reach) continue;
      const layer = flags[i] ? 2 : kind === 1 ? 0 : 1;
      const isContext = layer === 0;
      const r = isContext ? CONTEXT[0] : palette.colours[3 * code];
      const g = isContext ? CONTEXT[1] : palette.colours[3 * code + 1];
      const b = isContext ? CONTEXT[2] : palette.colours[3 * code + 2];
      const sum = this.sums[layer];
      used[layer] = true;
      const at = 4 * ((py + pad) * across + px + pad);
      if (single) {
        sum[at] += r;
        sum[at + 1] += g;
        sum[at + 2] += b;
        sum[at + 3] += 1;
        continue;
      }
      const { offsets, weights } = kind === 3 ? ring : solid;
      for (let k = 0; k < offsets.length; k++) {
        const to = at + offsets[k];
        const w = weights[k];
        sum[to] += w * r;
        sum[to + 1] += w * g;
        sum[to + 2] += w * b;
        sum[to + 3] += w;
      }
    }
    this.resolve(used, { peak, first, dims, every, across, pad });
  }

  resolve(used, { peak, first, dims, every, across, pad }) {
    const { width, height } = this.canvas;
    const image = this.context.createImageData(width, height);
    const layers = [0, 1, 2].filter((l) => used[l]);
    // Opacity by count in steps of a quarter; more than the table holds is as opaque as its end.
    const tables = [0, 1, 2].map((l) =>
      Float32Array.from({ length: 8192 }, (_, i) => dims[l] * opacity((i / 4) * every, first[l], peak)),
    );
    const out = image.data;
    for (let y = 0; y < height; y++) {
      let from = 4 * ((y + pad) * across + pad);
      let to = 4 * y * width;
      for (let x = 0; x < width; x++, from += 4, to += 4) {
        let [r, g, b, alpha] = [0, 0, 0, 0];
        for (const l of layers) {
          const sum = this.sums[l];
          const count = sum[from + 3];
          if (count === 0) continue;
          const a = tables[l][Math.min(8191, Math.ceil(4 * count))];
          const keep = alpha * (1 - a);
          r = r * keep + (a * sum[from]) / count;
          g = g * keep + (a * sum[from + 1]) / count;
          b = b * keep + (a * sum[from + 2]) / count;
          alpha = keep + a;
          r /= alpha;
          g /= alpha;
          b /= alpha;
        }
        if (alpha === 0) continue;
        out[to] = r;
        out[to + 1] = g;
        out[to + 2] = b;
        out[to + 3] = 255 * alpha;
      }
    }
    this.context.putImageData(image, 0, 0);
  }

  destroy() {}
}
