import { CONTEXT, distanceFrom, OUTER, RIM, STROKE } from "./scatter_shapes.js";

const STEPS = 8192; // of opacity by count

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
    /** @type {Float32Array[]} of the layers that were drawn: red, green, blue and weight of every pixel */
    this.sums = [];
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

  // The pixels of a shape: where they are, how much of each it covers, and how much of that is its edge. An outline of
  // null is a disc without an edge of its own.
  stamp(radius, width, ratio, outline, isHollow) {
    const reach = this.reach(radius, outline !== null);
    const pixels = [];
    const share = (value) => Math.min(1, Math.max(0, value + 0.5));
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++) {
        const d = outline ? radius * distanceFrom(outline, x / radius, y / radius) : Math.hypot(x, y) - radius;
        const weight = share(-d) * (isHollow ? share(d + STROKE * ratio) : 1);
        if (weight > 0.05)
          pixels.push([4 * (y * width + x), weight, isHollow || !outline ? 1 : share(d + RIM * ratio)]);
      }
    }
    return pixels;
  }

  reach(radius, isShaped) {
    return Math.max(0, Math.ceil((isShaped ? OUTER : 1) * radius - 0.5));
  }

  // Of every code: offsets in the sums, and what each pixel there gets of red, green, blue and weight.
  stamps(palette, radius, width, ratio, isShaped) {
    const shapes = new Map();
    return Array.from({ length: 256 }, (_, code) => {
      const kind = palette.kinds[code];
      if (!kind) return null;
      const outline = isShaped ? palette.outlines[palette.shapes[code]] : null;
      const isHollow = isShaped && kind === 3;
      const name = `${palette.shapes[code]} ${isHollow}`;
      if (!shapes.has(name)) shapes.set(name, this.stamp(radius, width, ratio, outline, isHollow));
      const pixels = shapes.get(name);
      const of = (colours) => (kind === 1 ? CONTEXT : colours.subarray(3 * code, 3 * code + 3));
      const [fill, edge] = [of(palette.colours), of(palette.edges)];
      return {
        offsets: Int32Array.from(pixels, ([at]) => at),
        sums: Float32Array.from(
          pixels.flatMap(([, w, rim]) => [...[0, 1, 2].map((c) => w * (fill[c] + rim * (edge[c] - fill[c]))), w]),
        ),
      };
    });
  }

  draw({ transform, palette, radius, peak, first, dims, every, ratio, isShaped, n, layers }) {
    const { width, height } = this.canvas;
    const reach = this.reach(radius, isShaped);
    const pad = 2 * reach; // points beyond the edge reach into the picture
    const across = width + 2 * pad;
    const size = 4 * across * (height + 2 * pad);
    for (const layer of layers) {
      if (this.sums[layer]?.length === size) this.sums[layer].fill(0);
      else this.sums[layer] = new Float32Array(size);
    }
    const stamps = this.stamps(palette, radius, across, ratio, isShaped);
    const { points, codes, flags } = this;
    const { kinds } = palette;
    const [context, plain, selected] = this.sums;
    const { au, bu, av, bv } = transform;
    const [right, bottom] = [width + reach, height + reach];
    for (let i = 0; i < n; i += every) {
      const code = codes[i];
      const kind = kinds[code];
      if (kind === 0) continue;
      const px = Math.floor(au * points[2 * i] + bu); // the pixel that it is on
      const py = Math.floor(av * points[2 * i + 1] + bv);
      if (px < -reach || py < -reach || px >= right || py >= bottom) continue;
      const sum = flags[i] ? selected : kind === 1 ? context : plain;
      const at = 4 * ((py + pad) * across + px + pad);
      const { offsets, sums } = stamps[code];
      for (let k = 0, part = 0; k < offsets.length; k++, part += 4) {
        const to = at + offsets[k];
        sum[to] += sums[part];
        sum[to + 1] += sums[part + 1];
        sum[to + 2] += sums[part + 2];
        sum[to + 3] += sums[part + 3];
      }
    }
    this.resolve(layers, { peak, first, dims, every, across, pad });
  }

  resolve(layers, { peak, first, dims, every, across, pad }) {
    const { width, height } = this.canvas;
    const image = this.context.createImageData(width, height);
    const stack = layers.map((l) => this.sums[l]);
    const tables = layers.map((l) => this.opacities(dims[l], first[l], peak, every));
    const out = image.data;
    for (let y = 0; y < height; y++) {
      let from = 4 * ((y + pad) * across + pad);
      let to = 4 * y * width;
      for (let x = 0; x < width; x++, from += 4, to += 4) {
        let r = 0;
        let g = 0;
        let b = 0;
        let alpha = 0;
        for (let l = 0; l < stack.length; l++) {
          const sum = stack[l];
          const count = sum[from + 3];
          if (count === 0) continue;
          const a = tables[l][Math.min(STEPS - 1, Math.ceil(4 * count))];
          const keep = alpha * (1 - a);
          alpha = keep + a;
          r = (r * keep + (a * sum[from]) / count) / alpha;
          g = (g * keep + (a * sum[from + 1]) / count) / alpha;
          b = (b * keep + (a * sum[from + 2]) / count) / alpha;
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

  // By count in steps of a quarter; more than the table holds is as opaque as its end.
  opacities(dim, first, peak, every) {
    const table = new Float32Array(STEPS);
    for (let i = 0; i < STEPS; i++) table[i] = dim * opacity((i / 4) * every, first, peak);
    return table;
  }

  destroy() {}
}
