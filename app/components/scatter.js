// Millions of points in a plane: see scatter.py. Called again on the same nodes whenever the data change. Positions,
// colours and the selection arrive as bytes from components of their own, so that changing one resends no other.
// Plots of a page that show the same rows are linked: selection, pointed sample, view and legend are those of all.
// Coordinates: u, v are the bytes' integers 0..65535; x, y the axes' units; pixels are CSS pixels of the plot area.

const TOP = 65535;
const HIDDEN = 255; // code of a point that is not drawn at all
const NOT_GIVEN = 253; // code of a point without a number, where colours stand for numbers
const CONTEXT = [150, 150, 150];
// Without its darkest end, which cannot be seen on a dark ground.
const VIRIDIS = ["#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];
const MARGIN = { left: 52, right: 10, top: 24, bottom: 40 };
const REACH = 14; // pixels around the pointer in which a point is found
const SIDE = 256; // cells of the grid in which points are looked for, along each axis
const CELL = (TOP + 1) / SIDE;
const NEIGHBOURS = 12; // of a point under the pointer, that are asked for before it gets there
const CLICK = 4; // pixels that a click may move
const REST = 350; // milliseconds until the address hears of the view
const SMOOTH = 45; // milliseconds that a frame may take while something is dragged; beyond it, a part of the points
const TIP_IMAGE = 128;
const EMULATED = /swiftshader|llvmpipe|softpipe|software|basic render/i;

const shared = (globalThis.fasScatter ??= { bytes: new Map(), heard: new EventTarget(), ask: null, tell: null });

const hasBoundsOf = (one, other) => String([one.low, one.high]) === String([other.low, other.high]);
const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

function element(tag, className = "", text = null) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== null) made.textContent = text;
  return made;
}

function button(label, title, icon) {
  const made = element("button", "tool");
  made.type = "button";
  made.title = title;
  made.setAttribute("aria-label", label);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", icon);
  svg.append(path);
  made.append(svg);
  return made;
}

const ICONS = {
  lasso: "M12 4c5 0 8.5 2 8.5 5s-3.500 5-8.500 5c-5 0-8.500-2-8.500-5s3.500-5 8.500-5M7 13.300c-2 1-2 4 .5 4s2.500 2 1 3.500",
  box: "M4 6h16v12H4z",
  pan: "M12 3v18M3 12h18M12 3l-2.500 2.500M12 3l2.500 2.500M12 21l-2.500-2.500M12 21l2.500-2.500M3 12l2.500-2.500M3 12l2.500 2.500M21 12l-2.500-2.500M21 12l-2.500 2.500",
  in: "M12 5v14M5 12h14",
  out: "M5 12h14",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  clear: "M6 6l12 12M18 6L6 18",
};
const TOOLS = {
  lasso: ["Lasso", "Lasso (L): draw around points"],
  box: ["Box", "Box (B): drag a rectangle around points"],
  pan: ["Move", "Move (P): drag the plot; also with the middle button in any tool"],
};
const HELP =
  "Arrow keys move the plot under the cross, plus and minus zoom, 0 shows all. Enter selects the point in the cross, S " +
  "all points in view; with Shift they are added. Escape clears the selection. L, B and P choose lasso, box and move.";

// ------------------------------------------------------------------------------------------------------------ shapes

// Where a polygon's outline crosses every integer v from `low` on: those of the i-th are at[starts[i]] to
// at[starts[i + 1] - 1]. A point is inside when an odd number of crossings lies beyond it. Edges are half open, so that
// a vertex counts once.
function crossings(polygon) {
  let low = TOP;
  let high = 0;
  for (const [, v] of polygon) {
    low = Math.min(low, Math.ceil(v));
    high = Math.max(high, Math.floor(v));
  }
  low = Math.max(low, 0);
  high = Math.max(low - 1, Math.min(high, TOP));
  const each = (visit) =>
    polygon.forEach(([u1, v1], i) => {
      const [u2, v2] = polygon[(i + 1) % polygon.length];
      for (let v = Math.max(low, Math.ceil(Math.min(v1, v2))); v <= Math.min(high, Math.floor(Math.max(v1, v2))); v++) {
        if (v1 > v !== v2 > v) visit(v - low, u1 + ((v - v1) * (u2 - u1)) / (v2 - v1));
      }
    });
  const starts = new Int32Array(high - low + 2);
  each((i) => starts[i + 1]++);
  for (let i = 1; i < starts.length; i++) starts[i] += starts[i - 1];
  const next = starts.slice();
  const at = new Float64Array(starts.at(-1));
  each((i, u) => (at[next[i]++] = u));
  return { low, high, starts, at };
}

// Marks 1 for every point inside.
function insidePolygon(points, polygon, n) {
  const marks = new Uint8Array(n);
  const { low, high, starts, at } = crossings(polygon);
  for (let i = 0; i < n; i++) {
    const v = points[2 * i + 1];
    if (v < low || v > high) continue;
    const u = points[2 * i];
    let inside = 0;
    for (let k = starts[v - low]; k < starts[v - low + 1]; k++) inside ^= at[k] > u ? 1 : 0;
    marks[i] = inside;
  }
  return marks;
}

function insideBox(points, [u1, v1], [u2, v2], n) {
  const marks = new Uint8Array(n);
  const [left, right, bottom, top] = [Math.min(u1, u2), Math.max(u1, u2), Math.min(v1, v2), Math.max(v1, v2)];
  for (let i = 0; i < n; i++) {
    const u = points[2 * i];
    const v = points[2 * i + 1];
    marks[i] = u >= left && u <= right && v >= bottom && v <= top ? 1 : 0;
  }
  return marks;
}

// The rows of every cell of a grid, so that what lies around the pointer is found without looking at millions.
class Grid {
  constructor(points) {
    const n = points.length / 2;
    const cells = new Uint16Array(n);
    this.starts = new Uint32Array(SIDE ** 2 + 1); // of every cell in `rows`, and the end of the last one
    for (let i = 0; i < n; i++) {
      cells[i] = Math.floor(points[2 * i] / CELL) * SIDE + Math.floor(points[2 * i + 1] / CELL);
      this.starts[cells[i] + 1]++;
    }
    for (let cell = 0; cell < SIDE ** 2; cell++) this.starts[cell + 1] += this.starts[cell];
    const next = this.starts.slice();
    this.rows = new Uint32Array(n);
    for (let i = 0; i < n; i++) this.rows[next[cells[i]]++] = i;
  }

  // Rows by and by further away from a place: those of its cell, then of the cells around it, in pieces. With each ring,
  // how far away all that comes after it is at least, in units of the plane along both axes.
  *rings([u, v]) {
    const [column, line] = [Math.floor(u / CELL), Math.floor(v / CELL)];
    const edge = (at, middle, r) => Math.min(at - (middle - r) * CELL, (middle + r + 1) * CELL - at);
    for (let r = 0; r <= SIDE; r++) {
      const ring = [];
      for (let i = Math.max(0, column - r); i <= Math.min(SIDE - 1, column + r); i++) {
        const isWhole = Math.abs(i - column) === r;
        for (const [low, high] of isWhole ? [[line - r, line + r]] : [[line - r, line - r], [line + r, line + r]]) {
          const [first, last] = [Math.max(0, low), Math.min(SIDE - 1, high)];
          if (first <= last) ring.push(this.rows.subarray(this.starts[i * SIDE + first], this.starts[i * SIDE + last + 1]));
        }
      }
      yield { ring, beyond: [edge(u, column, r), edge(v, line, r)] };
    }
  }
}

// One bit per row as text. Not deflated: that waits for the next frame, and saves little where points are mixed.
function packed(flags) {
  const bits = new Uint8Array(Math.ceil(flags.length / 8));
  for (let i = 0; i < flags.length; i++) if (flags[i]) bits[i >> 3] |= 128 >> (i & 7);
  let text = "";
  for (let i = 0; i < bits.length; i += 32768) text += String.fromCharCode(...bits.subarray(i, i + 32768));
  return btoa(text);
}

// --------------------------------------------------------------------------------------------------------- renderers
// Both sum the colours and the number of the points on every pixel, in three layers: grey context, points, selected
// ones. A pixel has its points' mean colour, whatever their order, and is the more opaque the more there are.

// Opacity of `count` points: `first` for one, rising with the logarithm to 1 for `peak`.
function opacity(count, first, peak) {
  if (count <= 1) return count * first;
  return peak <= 1 ? first : Math.min(1, first + ((1 - first) * Math.log(count)) / Math.log(peak));
}

class Raster {
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
    const tables = [0, 1, 2].map((l) => Float32Array.from({ length: 8192 }, (_, i) => dims[l] * opacity((i / 4) * every, first[l], peak)));
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

const VERTEX = `#version 300 es
in vec2 at; in float code; in float flag;
uniform vec4 transform; uniform vec2 size; uniform float radius, ratio; uniform int layer; uniform sampler2D palette;
out vec3 colour; out float hollow;
void main() {
  vec4 style = texelFetch(palette, ivec2(int(code), 0), 0);
  int kind = int(style.a * 3.0 + 0.5);
  int mine = flag > 0.5 ? 2 : kind == 1 ? 0 : 1;
  if (kind == 0 || mine != layer) { gl_Position = vec4(2.0, 2.0, 2.0, 1.0); return; }
  vec2 pixel = at * transform.xz + transform.yw;
  gl_Position = vec4(2.0 * pixel.x / size.x - 1.0, 1.0 - 2.0 * pixel.y / size.y, 0.0, 1.0);
  gl_PointSize = max(1.0, 2.0 * radius + 1.0);
  colour = layer == 0 ? vec3(${CONTEXT.map((c) => (c / 255).toFixed(4)).join(",")}) : style.rgb;
  hollow = kind == 3 && radius > 2.0 * ratio ? 1.0 : 0.0;
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec3 colour; in float hollow; uniform float radius, ratio; out vec4 sum;
void main() {
  float d = length(gl_PointCoord - 0.5) * max(1.0, 2.0 * radius + 1.0);
  float w = radius < 0.75 ? 1.0 : clamp(radius + 0.5 - d, 0.0, 1.0);
  if (hollow > 0.5) w *= clamp(d - (radius - 1.6 * ratio) + 0.5, 0.0, 1.0);
  sum = vec4(colour * w, w);
}`;
const WHOLE = `#version 300 es
void main() { gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0); }`;
const RESOLVE = `#version 300 es
precision highp float;
uniform sampler2D sums; uniform float first, peak, dim, every; out vec4 colour;
void main() {
  vec4 sum = texelFetch(sums, ivec2(gl_FragCoord.xy), 0);
  if (sum.a <= 0.0) discard;
  float n = sum.a * every;
  float a = n <= 1.0 ? n * first : peak <= 1.0 ? first : min(1.0, first + (1.0 - first) * log(n) / log(peak));
  colour = vec4(sum.rgb / sum.a, 1.0) * (a * dim);
}`;

class WebGL {
  // null where the browser has none, where the processor only plays a graphics card (the other renderer is many times
  // faster than that), or where it cannot add up colours.
  static on(canvas) {
    const gl = canvas.getContext("webgl2", { failIfMajorPerformanceCaveat: true, antialias: false, depth: false });
    if (!gl || !gl.getExtension("EXT_color_buffer_float")) return null;
    const about = gl.getExtension("WEBGL_debug_renderer_info");
    if (about && EMULATED.test(gl.getParameter(about.UNMASKED_RENDERER_WEBGL))) return null;
    const isFull = gl.getExtension("EXT_float_blend") !== null;
    try {
      return new WebGL(canvas, gl, isFull ? gl.RGBA32F : gl.RGBA16F);
    } catch {
      return null;
    }
  }

  constructor(canvas, gl, format) {
    Object.assign(this, { name: "webgl", canvas, gl, format, buffers: {} });
    this.points_ = this.program(VERTEX, FRAGMENT);
    this.whole = this.program(WHOLE, RESOLVE);
    this.sums = gl.createTexture();
    this.target = gl.createFramebuffer();
    this.palette = gl.createTexture();
  }

  program(vertex, fragment) {
    const { gl } = this;
    const made = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(made, shader);
    }
    gl.linkProgram(made);
    if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made));
    return { made, at: (name) => gl.getUniformLocation(made, name), input: (name) => gl.getAttribLocation(made, name) };
  }

  fill(name, values) {
    const { gl } = this;
    this.buffers[name] ??= gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
  }

  setPoints(points) {
    this.fill("at", points);
  }

  setCodes(codes) {
    this.fill("code", codes);
  }

  setFlags(flags) {
    this.fill("flag", flags);
  }

  texture(made, width, height, internal, format, type, pixels) {
    const { gl } = this;
    gl.bindTexture(gl.TEXTURE_2D, made);
    gl.texImage2D(gl.TEXTURE_2D, 0, internal, width, height, 0, format, type, pixels);
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
  }

  draw({ transform, palette, radius, peak, first, dims, every, ratio, n, layers }) {
    const { gl, canvas } = this;
    const { width, height } = canvas;
    if (this.size !== `${width} ${height}`) {
      this.size = `${width} ${height}`;
      const type = this.format === gl.RGBA32F ? gl.FLOAT : gl.HALF_FLOAT;
      this.texture(this.sums, width, height, this.format, gl.RGBA, type, null);
      gl.bindFramebuffer(gl.FRAMEBUFFER, this.target);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.sums, 0);
    }
    const styles = new Uint8Array(1024);
    for (let code = 0; code < 256; code++) {
      for (let c = 0; c < 3; c++) styles[4 * code + c] = palette.colours[3 * code + c];
      styles[4 * code + 3] = 85 * palette.kinds[code];
    }
    this.texture(this.palette, 256, 1, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, styles);
    gl.viewport(0, 0, width, height);
    gl.enable(gl.BLEND);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const kinds = { at: [2, gl.UNSIGNED_SHORT, 4], code: [1, gl.UNSIGNED_BYTE, 1], flag: [1, gl.UNSIGNED_BYTE, 1] };
    for (const layer of layers) {
      gl.bindFramebuffer(gl.FRAMEBUFFER, this.target);
      gl.clear(gl.COLOR_BUFFER_BIT);
      gl.useProgram(this.points_.made);
      for (const [name, [parts, type, stride]] of Object.entries(kinds)) {
        const place = this.points_.input(name);
        gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
        gl.enableVertexAttribArray(place);
        gl.vertexAttribPointer(place, parts, type, false, stride * every, 0);
      }
      gl.bindTexture(gl.TEXTURE_2D, this.palette);
      gl.uniform4f(this.points_.at("transform"), transform.au, transform.bu, transform.av, transform.bv);
      gl.uniform2f(this.points_.at("size"), width, height);
      gl.uniform1f(this.points_.at("radius"), radius);
      gl.uniform1f(this.points_.at("ratio"), ratio);
      gl.uniform1i(this.points_.at("layer"), layer);
      gl.blendFunc(gl.ONE, gl.ONE);
      gl.drawArrays(gl.POINTS, 0, Math.ceil(n / every));
      gl.bindFramebuffer(gl.FRAMEBUFFER, null);
      gl.useProgram(this.whole.made);
      gl.bindTexture(gl.TEXTURE_2D, this.sums);
      for (const [name, value] of Object.entries({ first: first[layer], peak, dim: dims[layer], every })) {
        gl.uniform1f(this.whole.at(name), value);
      }
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    }
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); // waits: what a frame costs is known
  }

  destroy() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext(); // a browser has 16 of them
  }
}

// ----------------------------------------------------------------------------------------------------------- scatter

class Scatter {
  constructor(root) {
    this.root = root;
    this.tool = "lasso";
    this.off = new Set(); // names of categories that are context
    this.ours = new Set(); // selections made here: the server's answer to them brings nothing new
    this.selection = "";
    this.count = 0;
    this.cost = 0;
    this.answers = new Map(); // row -> what the server said of it
    this.build();
    this.observer = new ResizeObserver(() => this.layOut());
    this.observer.observe(root);
    this.onBytes = () => this.load();
    shared.heard.addEventListener("bytes", this.onBytes);
    this.onAnswer = (event) => this.hear(event.detail);
    shared.heard.addEventListener("answer", this.onAnswer);
    this.onOther = (event) => this.follow(event.detail);
    shared.heard.addEventListener("linked", this.onOther);
  }

  destroy() {
    clearTimeout(this.timer);
    clearTimeout(this.sharpening);
    this.observer.disconnect();
    shared.heard.removeEventListener("bytes", this.onBytes);
    shared.heard.removeEventListener("answer", this.onAnswer);
    shared.heard.removeEventListener("linked", this.onOther);
    this.renderer?.destroy();
  }

  build() {
    const { root } = this;
    root.replaceChildren();
    const bar = element("div", "bar");
    bar.setAttribute("role", "toolbar");
    bar.setAttribute("aria-label", "Plot tools");
    this.tools = {};
    for (const [name, [label, title]] of Object.entries(TOOLS)) {
      this.tools[name] = button(label, title, ICONS[name]);
      this.tools[name].addEventListener("click", () => this.choose(name));
      bar.append(this.tools[name]);
    }
    const acts = {
      in: ["Zoom in", "Zoom in (+)", () => this.zoom(1.6)],
      out: ["Zoom out", "Zoom out (−)", () => this.zoom(1 / 1.6)],
      fit: ["Show all", "Show all (0)", () => this.fit()],
      clear: ["Clear the selection", "Clear the selection (Escape)", () => this.clear()],
    };
    for (const [name, [label, title, act]] of Object.entries(acts)) {
      const made = button(label, title, ICONS[name]);
      made.addEventListener("click", act);
      bar.append(made);
      if (name === "clear") this.clearing = made;
    }
    this.status = element("span", "status");
    this.status.setAttribute("role", "status");
    bar.append(this.status);
    this.stage = element("div", "stage");
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-roledescription", "scatter plot");
    this.stage.setAttribute("aria-describedby", "keys");
    const help = element("p", "sr", HELP);
    help.id = "keys";
    this.over = element("canvas", "over");
    this.over.setAttribute("aria-hidden", "true");
    this.waiting = element("div", "waiting", "Loading the points …");
    this.tip = element("div", "tip");
    this.tip.hidden = true;
    this.tipImage = element("canvas");
    this.tipLines = element("div", "lines");
    this.tip.append(this.tipImage, this.tipLines);
    this.legend = element("div", "legend");
    this.legend.setAttribute("role", "group");
    this.legend.setAttribute("aria-label", "Categories: what is switched off stays as grey context");
    this.stage.append(this.over, this.waiting);
    root.append(bar, this.stage, this.legend, help, this.tip);
    this.choose("lasso");
    this.makeRenderer(false);
    this.listen();
  }

  // A canvas that has had one kind of context cannot have another.
  makeRenderer(mustRaster) {
    const make = () => {
      this.canvas?.remove();
      this.canvas = element("canvas", "points");
      this.canvas.setAttribute("aria-hidden", "true");
      this.stage.prepend(this.canvas);
      return this.canvas;
    };
    this.renderer = (mustRaster ? null : WebGL.on(make())) ?? new Raster(make());
    this.root.dataset.renderer = this.renderer.name;
    this.canvas.addEventListener("webglcontextlost", (event) => {
      if (event.target !== this.canvas || !this.root.isConnected) return;
      this.makeRenderer(true);
      if (this.points) this.renderer.setPoints(this.points);
      if (this.codes) this.renderer.setCodes(this.codes);
      if (this.flags) this.renderer.setFlags(this.flags);
      this.layOut();
      this.draw();
    });
  }

  choose(tool) {
    this.tool = tool;
    for (const [name, made] of Object.entries(this.tools)) made.setAttribute("aria-pressed", String(name === tool));
    this.stage.dataset.tool = tool;
  }

  // --------------------------------------------------------------------------------------------------- what arrives

  update({ data, setTriggerValue }) {
    const before = this.data;
    this.data = data;
    this.legend.hidden = !data.legend;
    this.trigger = setTriggerValue;
    if (!before) {
      this.asked = data.view;
      this.off = new Set(data.off);
    } else {
      if (before.points !== data.points && !hasBoundsOf(before, data)) {
        this.view = this.asked = null;
        this.rest();
      }
      if (before.colour !== data.colour) this.off = new Set();
      if (before.run !== data.run) this.answers.clear();
    }
    this.drawLegend();
    this.stage.setAttribute("aria-label", data.words);
    this.load();
    this.drawOver();
  }

  load() {
    const { data } = this;
    if (!data) return;
    let isNew = false;
    const points = shared.bytes.get(data.points);
    if (points && this.pointsKey !== data.points) {
      this.pointsKey = data.points;
      this.points = new Uint16Array(points.slice().buffer);
      const n = this.points.length / 2;
      if (this.flags?.length !== n || this.of !== data.run) {
        this.flags = new Uint8Array(n);
        this.of = data.run;
        this.count = 0;
        this.selection = "";
        this.renderer.setFlags(this.flags);
      }
      this.renderer.setPoints(this.points);
      this.grid = null;
      this.found = null;
      isNew = true;
    }
    const codes = shared.bytes.get(data.colours);
    if (codes && this.codesKey !== data.colours) {
      this.codesKey = data.colours;
      this.codes = codes;
      this.renderer.setCodes(codes);
      isNew = true;
    }
    const bits = shared.bytes.get(data.selection);
    if (bits && this.flags && this.selection !== data.selection && !this.ours.has(data.selection)) {
      this.selection = data.selection;
      for (let i = 0; i < this.flags.length; i++) this.flags[i] = (bits[i >> 3] >> (7 - (i & 7))) & 1;
      this.renderer.setFlags(this.flags);
      isNew = true;
    }
    this.waiting.hidden = this.isReady;
    if (isNew && this.isReady) {
      this.recount();
      this.layOut();
      this.draw();
    }
  }

  get isReady() {
    const { data } = this;
    return this.points && this.codes && this.pointsKey === data.points && this.codesKey === data.colours && this.codes.length * 2 === this.points.length;
  }

  recount() {
    let count = 0;
    for (let i = 0; i < this.flags.length; i++) if (this.flags[i] && this.codes[i] !== HIDDEN) count++;
    this.count = count;
    this.say();
  }

  say() {
    this.status.textContent = this.count ? `${grouped(this.count)} selected` : "";
    this.clearing.disabled = !this.count;
  }

  // --------------------------------------------------------------------------------------------------------- legend

  drawLegend() {
    const { categories, scale } = this.data;
    const wanted = JSON.stringify([categories, scale, [...this.off]]);
    if (this.legendIs === wanted) return;
    this.legendIs = wanted;
    const focused = this.root.getRootNode().activeElement?.dataset?.name;
    this.legend.replaceChildren();
    for (const one of categories) {
      const made = element("button", "key");
      made.type = "button";
      made.dataset.name = one.name;
      made.setAttribute("aria-pressed", String(!this.off.has(one.name)));
      made.title = this.off.has(one.name) ? "Colour it again. With Shift: it alone" : "Keep it as grey context. With Shift: it alone";
      const chip = element("i", one.hollow ? "chip hollow" : "chip");
      chip.style.setProperty("--chip", one.colour);
      made.append(chip, element("span", "", one.words), element("span", "n", grouped(one.n)));
      made.addEventListener("click", (event) => this.toggle(one.name, event.shiftKey));
      this.legend.append(made);
      if (one.name === focused) made.focus();
    }
    if (this.off.size) {
      const all = element("button", "key all", "Colour all");
      all.type = "button";
      all.addEventListener("click", () => this.toggle(null));
      this.legend.append(all);
    }
    if (scale) {
      const bar = element("div", "scale");
      const ramp = element("i");
      ramp.style.background = `linear-gradient(to right, ${VIRIDIS.join(",")})`;
      bar.append(element("span", "", scale.title), element("span", "n", scale.low), ramp, element("span", "n", scale.high));
      this.legend.append(bar);
    }
  }

  toggle(name, isAlone = false) {
    const names = this.data.categories.map((one) => one.name);
    if (name === null) this.off.clear();
    else if (isAlone) this.off = new Set(names.filter((other) => other !== name));
    else if (!this.off.delete(name)) this.off.add(name);
    this.link({ off: [...this.off] });
    this.drawLegend();
    this.draw();
    this.rest();
  }

  // ---------------------------------------------------------------------------------------------------------- links

  // Tells the other plots of the same rows what has just changed here.
  link(what) {
    shared.heard.dispatchEvent(new CustomEvent("linked", { detail: { ...what, from: this } }));
  }

  follow({ from, off, view, isMoving, row, flags, selection }) {
    const { data } = this;
    if (from === this || !data || from.data.run !== data.run || from.data.n !== data.n) return;
    if (off) {
      this.off = new Set(off);
      this.drawLegend();
      this.draw();
    }
    if (view && hasBoundsOf(from.data, data)) {
      this.view = view;
      this.draw(isMoving);
    }
    if (row !== undefined) {
      this.elsewhere = row;
      this.drawOver();
    }
    if (flags && this.flags?.length === data.n) {
      this.flags.set(flags);
      this.isSelected(selection);
    }
  }

  // The flags have become those of a selection made on this page.
  isSelected(selection) {
    this.selection = selection;
    this.ours.add(selection);
    this.recount();
    // What is sent leaves before the drawing begins: the server works meanwhile.
    setTimeout(() => {
      this.renderer.setFlags(this.flags);
      this.draw();
    });
  }

  // kinds: 0 not drawn, 1 context, 2 filled, 3 hollow
  palette() {
    const { categories, scale } = this.data;
    const kinds = new Uint8Array(256);
    const colours = new Uint8Array(768);
    if (scale) {
      const anchors = VIRIDIS.map(rgb);
      for (let code = 0; code < NOT_GIVEN; code++) {
        const at = (code / (NOT_GIVEN - 1)) * (anchors.length - 1);
        const left = Math.min(Math.floor(at), anchors.length - 2);
        for (let c = 0; c < 3; c++) colours[3 * code + c] = Math.round(anchors[left][c] + (at - left) * (anchors[left + 1][c] - anchors[left][c]));
        kinds[code] = 2;
      }
      kinds[NOT_GIVEN] = 1;
    }
    for (const one of categories) {
      const isOff = this.off.has(one.name);
      kinds[one.code] = isOff ? 1 : one.hollow ? 3 : 2;
      rgb(one.colour).forEach((value, c) => (colours[3 * one.code + c] = value));
    }
    kinds[HIDDEN] = 0;
    return { kinds, colours };
  }

  // ----------------------------------------------------------------------------------------------------------- view

  layOut() {
    const width = Math.floor(this.root.clientWidth);
    if (!width || !this.data) return;
    const height = Math.round(Math.min(Math.max(0.86 * width, 360), 620));
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.width = width - MARGIN.left - MARGIN.right;
    this.height = height - MARGIN.top - MARGIN.bottom;
    const size = `${width} ${height} ${ratio}`;
    const isNew = this.sizeIs !== size;
    if (isNew) {
      this.sizeIs = size;
      this.ratio = ratio;
      this.stage.style.height = `${height}px`;
      Object.assign(this.over, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
      Object.assign(this.over.style, { width: `${width}px`, height: `${height}px` });
    }
    const [across, down] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (this.canvas.width !== across || this.canvas.height !== down) Object.assign(this.canvas, { width: across, height: down });
    Object.assign(this.canvas.style, { left: `${MARGIN.left}px`, top: `${MARGIN.top}px`, width: `${this.width}px`, height: `${this.height}px` });
    if (!this.isReady) return this.drawOver();
    if (!this.view) this.setView();
    if (isNew) this.draw();
  }

  get span() {
    const { low, high } = this.data;
    return [0, 1].map((i) => high[i] - low[i] || 1);
  }

  fitted() {
    const [x, y] = this.span;
    return Math.max(x / (this.width - 32), y / (this.height - 32)); // units per pixel
  }

  // The view that the address asks for, as shares of the span and a zoom; else everything.
  setView() {
    const [x, y, zoom] = this.asked ?? [0.5, 0.5, 1];
    this.asked = null;
    const { low } = this.data;
    this.view = { x: low[0] + x * this.span[0], y: low[1] + y * this.span[1], unit: this.fitted() / zoom };
  }

  fit() {
    if (!this.isReady) return;
    this.asked = null;
    this.setView();
    this.look(false);
  }

  // Draws the view that has just been chosen, here and in linked plots.
  look(isMoving) {
    this.link({ view: this.view, isMoving });
    this.draw(isMoving);
    this.rest();
  }

  // From u, v to pixels of the plot area: p = a * u + b.
  transform(ratio = 1) {
    const { low } = this.data;
    const [x, y] = this.span;
    const { view } = this;
    return {
      au: (ratio * x) / TOP / view.unit,
      bu: ratio * ((low[0] - view.x) / view.unit + this.width / 2),
      av: (-ratio * y) / TOP / view.unit,
      bv: ratio * (this.height / 2 - (low[1] - view.y) / view.unit),
    };
  }

  toPlane([px, py]) {
    const { au, bu, av, bv } = this.transform();
    return [(px - bu) / au, (py - bv) / av];
  }

  zoom(by, [px, py] = [this.width / 2, this.height / 2]) {
    if (!this.isReady) return;
    const all = this.fitted();
    const unit = Math.min(Math.max(this.view.unit / by, all / 5000), 3 * all);
    const [dx, dy] = [px - this.width / 2, this.height / 2 - py];
    this.view = { x: this.view.x + dx * (this.view.unit - unit), y: this.view.y + dy * (this.view.unit - unit), unit };
    this.look(true);
  }

  move(dx, dy) {
    if (!this.isReady) return;
    const { x, y, unit } = this.view;
    this.view = { x: x - dx * unit, y: y + dy * unit, unit };
    this.look(true);
  }

  // The address hears of the view and of what is switched off, once they rest and the page has come to who listens.
  rest() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!shared.tell || !this.view) {
        this.rest();
        return;
      }
      const { low } = this.data;
      const [x, y] = this.span;
      const short = (value) => Number(value.toPrecision(5));
      const view = [(this.view.x - low[0]) / x, (this.view.y - low[1]) / y, this.fitted() / this.view.unit].map(short);
      shared.tell({ view: view.join(",") === "0.5,0.5,1" ? null : view, off: [...this.off] });
    }, REST);
  }

  // -------------------------------------------------------------------------------------------------------- drawing

  get radius() {
    const n = this.data.n;
    const pixels = n <= 1000 ? 4 : n <= 8000 ? 3 : n <= 40000 ? 2.2 : n <= 200000 ? 1.5 : n <= 600000 ? 1 : 0.5;
    const zoom = this.fitted() / this.view.unit;
    return Math.min(4, pixels * Math.min(4, Math.max(1, zoom) ** 0.4)) * this.ratio;
  }

  // How many points the densest parts of the view have on a pixel, estimated from a part of them.
  peak(radius) {
    const every = Math.max(1, Math.floor(this.data.n / 150000));
    const side = 8;
    const [across, down] = [Math.ceil(this.width / side), Math.ceil(this.height / side)];
    const counts = new Uint32Array(across * down);
    const { au, bu, av, bv } = this.transform();
    for (let i = 0; i < this.data.n; i += every) {
      if (this.codes[i] === HIDDEN) continue;
      const px = au * this.points[2 * i] + bu;
      const py = av * this.points[2 * i + 1] + bv;
      if (px >= 0 && py >= 0 && px < this.width && py < this.height) counts[Math.floor(py / side) * across + Math.floor(px / side)]++;
    }
    const full = counts.filter((count) => count).sort();
    const dense = full.length ? full[Math.floor(0.98 * (full.length - 1))] : 0;
    const area = Math.max(1, Math.PI * (radius / this.ratio) ** 2);
    return Math.max(1, (dense * every * area) / side ** 2);
  }

  draw(isMoving = false) {
    this.wantsMoving = isMoving;
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = null;
      this.drawNow(this.wantsMoving);
    });
  }

  drawNow(isMoving) {
    if (!this.isReady || !this.view || !this.canvas.width) return;
    clearTimeout(this.sharpening);
    const every = isMoving ? Math.min(60, Math.max(1, Math.ceil(this.cost / SMOOTH))) : 1;
    const start = performance.now();
    const radius = this.radius;
    const peak = this.peak(radius);
    const first = Math.max(0.3, 0.9 / (1 + 0.25 * Math.log2(peak)));
    const palette = this.palette();
    const hasContext = palette.kinds.includes(1);
    this.renderer.draw({
      transform: this.transform(this.ratio),
      palette,
      radius,
      peak: Math.max(peak, 1.001),
      first: [first * 0.8, first, Math.max(first, 0.8)],
      dims: this.count ? [0.25, 0.3, 1] : [0.35, 1, 1],
      layers: [...(hasContext ? [0] : []), 1, ...(this.count ? [2] : [])],
      every,
      ratio: this.ratio,
      n: this.data.n,
    });
    if (every === 1) this.cost = performance.now() - start;
    else this.sharpening = setTimeout(() => this.draw(), 160);
    this.drawOver();
    const { x, y, unit } = this.view;
    this.root.dataset.view = JSON.stringify({ x, y, unit, width: this.width, height: this.height, left: MARGIN.left, top: MARGIN.top });
    this.root.dataset.cost = (performance.now() - start).toFixed(1);
    if (every === 1) this.root.dataset.painted = String(Number(this.root.dataset.painted ?? 0) + 1); // for measurements
    if (!this.grid) setTimeout(() => this.index(), REST); // not while somebody waits for the first answer to the pointer
  }

  // Axes, the gesture under way, marks of single points.
  drawOver() {
    if (!this.over.width || !this.data) return;
    const context = this.over.getContext("2d");
    const { ratio, width, height } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width + 100, height + 100);
    const style = getComputedStyle(this.root);
    const text = style.color;
    context.font = `12px ${style.fontFamily}`;
    context.fillStyle = text;
    context.strokeStyle = "rgba(128,128,128,0.35)";
    context.lineWidth = 1;
    context.strokeRect(MARGIN.left + 0.5, MARGIN.top + 0.5, width - 1, height - 1);
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillText(this.data.note, MARGIN.left, MARGIN.top / 2, width);
    const [across, up] = this.data.titles;
    context.textAlign = "center";
    context.fillText(across, MARGIN.left + width / 2, MARGIN.top + height + 30, width);
    context.save();
    context.translate(10, MARGIN.top + height / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(up, 0, 0, height);
    context.restore();
    if (!this.view) return;
    if (this.data.ticks) this.drawTicks(context);
    context.save();
    context.translate(MARGIN.left, MARGIN.top);
    context.beginPath();
    context.rect(0, 0, width, height);
    context.clip();
    if (this.data.lines) this.drawLines(context);
    if (this.data.trails) this.drawTrails(context, text, style.getPropertyValue("--st-background-color"));
    this.drawGesture(context, text);
    for (const [row, size] of [[this.data.marked, 9], [this.elsewhere, 9], [this.found, 7]]) {
      if (row === null || row === undefined || !this.isReady || row >= this.data.n) continue;
      const [px, py] = this.pixel(row);
      for (const [colour, line] of [[style.getPropertyValue("--st-background-color"), 4], [text, 2]]) {
        context.strokeStyle = colour;
        context.lineWidth = line;
        context.beginPath();
        context.arc(px, py, size, 0, 2 * Math.PI);
        context.stroke();
      }
    }
    if (this.hasCross) {
      context.strokeStyle = text;
      context.lineWidth = 1;
      context.beginPath();
      for (const [x1, y1, x2, y2] of [[-14, 0, -4, 0], [4, 0, 14, 0], [0, -14, 0, -4], [0, 4, 0, 14]]) {
        context.moveTo(width / 2 + x1, height / 2 + y1);
        context.lineTo(width / 2 + x2, height / 2 + y2);
      }
      context.stroke();
    }
    context.restore();
  }

  drawTicks(context) {
    const { view, width, height } = this;
    const label = (value) => String(Number(value.toPrecision(6))).replace("-", "−");
    // The axes' own numbers at the edges of the view: of two units, where both are not those of the plane.
    const { low, ticks } = this.data;
    const at = (axis, value) => ticks[axis][0] + ((value - low[axis]) / this.span[axis]) * (ticks[axis][1] - ticks[axis][0]);
    const [left, right] = [-1, 1].map((side) => at(0, view.x + (side * width * view.unit) / 2));
    const [bottom, top] = [-1, 1].map((side) => at(1, view.y + (side * height * view.unit) / 2));
    context.strokeStyle = "rgba(128,128,128,0.18)";
    context.beginPath();
    context.textAlign = "center";
    for (const tick of ticksBetween(left, right, width / 80)) {
      const px = Math.round(MARGIN.left + ((tick - left) / (right - left)) * width) + 0.5;
      context.moveTo(px, MARGIN.top);
      context.lineTo(px, MARGIN.top + height);
      context.fillText(label(tick), px, MARGIN.top + height + 12);
    }
    context.textAlign = "right";
    for (const tick of ticksBetween(bottom, top, height / 60)) {
      const py = Math.round(MARGIN.top + ((top - tick) / (top - bottom)) * height) + 0.5;
      context.moveTo(MARGIN.left, py);
      context.lineTo(MARGIN.left + width, py);
      context.fillText(label(tick), MARGIN.left - 6, py);
    }
    context.stroke();
  }

  // One line across each axis, at a share of its span; null: none.
  drawLines(context) {
    const { au, bu, av, bv } = this.transform();
    const [across, up] = this.data.lines;
    context.strokeStyle = "#7A7A7A";
    context.lineWidth = 2;
    context.beginPath();
    if (across !== null) {
      context.moveTo(au * TOP * across + bu, 0);
      context.lineTo(au * TOP * across + bu, this.height);
    }
    if (up !== null) {
      context.moveTo(0, av * TOP * up + bv);
      context.lineTo(this.width, av * TOP * up + bv);
    }
    context.stroke();
  }

  // Where each group's middle is in every step, a line with an arrow at its end; the step of this plot is emphasised.
  drawTrails(context, text, ground) {
    const { view, width, height } = this;
    const { steps, current, groups } = this.data.trails;
    const centred = { textAlign: "center", textBaseline: "middle", lineJoin: "round", font: context.font.replace("12px", "bold 11px") };
    Object.assign(context, centred);
    const named = []; // where names of steps stand: none stands on another
    for (const group of groups) {
      if (this.off.has(group.name)) continue;
      const places = group.places.map((place) => place && [(place[0] - view.x) / view.unit + width / 2, height / 2 - (place[1] - view.y) / view.unit]);
      const line = places.filter((place) => place);
      const bent = new Path2D();
      line.forEach(([px, py], i) => (i ? bent.lineTo(px, py) : bent.moveTo(px, py)));
      const [end, before] = [line.at(-1), line.at(-2)];
      if (before && Math.hypot(end[0] - before[0], end[1] - before[1]) > 6) {
        const angle = Math.atan2(end[1] - before[1], end[0] - before[0]);
        for (const side of [-0.45, 0.45]) {
          bent.moveTo(...end);
          bent.lineTo(end[0] - 11 * Math.cos(angle + side), end[1] - 11 * Math.sin(angle + side));
        }
      }
      for (const [colour, thickness] of [[ground, 5], [group.colour, 2.5]]) {
        context.strokeStyle = colour;
        context.lineWidth = thickness;
        context.stroke(bent);
      }
      places.forEach((place, i) => {
        if (!place) return;
        const isHere = i === current;
        const dot = new Path2D();
        dot.arc(...place, isHere ? 5.5 : 3.5, 0, 2 * Math.PI);
        for (const [colour, thickness] of isHere ? [[text, 6], [group.colour, 3]] : [[group.colour, 2]]) {
          context.strokeStyle = colour;
          context.lineWidth = thickness;
          context.stroke(dot);
        }
        context.fillStyle = group.hollow ? ground : group.colour;
        context.fill(dot);
        const [px, py] = [place[0], place[1] - 15];
        if (named.some(([x, y]) => Math.hypot(px - x, py - y) < 13)) return;
        named.push([px, py]);
        context.strokeStyle = ground;
        context.lineWidth = 4;
        context.strokeText(steps[i], px, py);
        context.fillStyle = text;
        context.fillText(steps[i], px, py);
      });
    }
  }

  drawGesture(context, text) {
    const { gesture } = this;
    if (!gesture || gesture.kind === "pan" || !gesture.hasMoved) return;
    context.beginPath();
    if (gesture.kind === "box") {
      const [[x1, y1], [x2, y2]] = [gesture.path[0], gesture.path.at(-1)];
      context.rect(Math.min(x1, x2), Math.min(y1, y2), Math.abs(x2 - x1), Math.abs(y2 - y1));
    } else {
      gesture.path.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
      context.closePath();
    }
    context.fillStyle = "rgba(128,128,128,0.15)";
    context.fill();
    context.strokeStyle = text;
    context.lineWidth = 1.5;
    context.setLineDash([5, 4]);
    context.stroke();
    context.setLineDash([]);
  }

  pixel(row) {
    const { au, bu, av, bv } = this.transform();
    return [au * this.points[2 * row] + bu, av * this.points[2 * row + 1] + bv];
  }

  // ------------------------------------------------------------------------------------------------------- gestures

  listen() {
    const { stage } = this;
    stage.addEventListener("pointerdown", (event) => this.press(event));
    stage.addEventListener("pointermove", (event) => this.drag(event));
    stage.addEventListener("pointerup", (event) => this.release(event));
    stage.addEventListener("pointercancel", () => this.cancel());
    stage.addEventListener("pointerleave", () => this.leave());
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("focus", () => this.cross(!this.isPressing && stage.matches(":focus-visible")));
    stage.addEventListener("blur", () => {
      this.cross(false);
      this.leave();
    });
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("transitionend", (event) => {
      if (event.target === this.root && event.propertyName === "color") this.drawOver();
    });
  }

  // The cross and the ring around the plot are there while it is used by keys.
  cross(isThere) {
    this.hasCross = isThere;
    this.stage.classList.toggle("keys", isThere);
    this.drawOver();
  }

  at(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left - MARGIN.left, event.clientY - box.top - MARGIN.top];
  }

  press(event) {
    if (!this.isReady || event.button > 1) return;
    event.preventDefault();
    this.isPressing = true;
    this.stage.focus({ preventScroll: true });
    this.isPressing = false;
    this.cross(false);
    this.stage.setPointerCapture(event.pointerId);
    this.gesture = { kind: event.button === 1 ? "pan" : this.tool, path: [this.at(event)], hasMoved: false };
    this.hide();
  }

  drag(event) {
    const { gesture } = this;
    if (!gesture) return this.point(this.at(event), event);
    for (const part of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) {
      const at = this.at(part);
      const last = gesture.path.at(-1);
      if (Math.hypot(at[0] - gesture.path[0][0], at[1] - gesture.path[0][1]) >= CLICK) gesture.hasMoved = true;
      if (gesture.kind === "pan" && gesture.hasMoved) this.move(at[0] - last[0], at[1] - last[1]);
      if (gesture.kind !== "pan" || gesture.hasMoved) gesture.path.push(at);
    }
    this.drawOver();
  }

  release(event) {
    const { gesture } = this;
    if (!gesture) return;
    this.gesture = null;
    const adds = event.shiftKey;
    if (!gesture.hasMoved) {
      const row = event.button === 0 ? this.nearest(gesture.path[0]) : null;
      if (row !== null) this.select(this.only(row), adds);
    } else if (gesture.kind === "box") {
      this.select(insideBox(this.points, this.toPlane(gesture.path[0]), this.toPlane(this.at(event)), this.data.n), adds);
    } else if (gesture.kind === "lasso") {
      this.select(insidePolygon(this.points, gesture.path.map((at) => this.toPlane(at)), this.data.n), adds);
    }
    this.drawOver();
  }

  cancel() {
    this.gesture = null;
    this.drawOver();
  }

  wheel(event) {
    if (!this.isReady) return;
    event.preventDefault();
    this.zoom(Math.exp(-Math.max(-300, Math.min(300, event.deltaMode ? 30 * event.deltaY : event.deltaY)) / 350), this.at(event));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      if (!this.gesture && !this.count) return;
      event.stopPropagation();
      return this.gesture ? this.cancel() : this.clear();
    }
    if (event.target !== this.stage || !this.isReady) return;
    const step = event.shiftKey ? 4 : 40;
    const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    const centre = [this.width / 2, this.height / 2];
    const acts = {
      "+": () => this.zoom(1.6),
      "=": () => this.zoom(1.6),
      "-": () => this.zoom(1 / 1.6),
      0: () => this.fit(),
      l: () => this.choose("lasso"),
      b: () => this.choose("box"),
      p: () => this.choose("pan"),
      s: () => this.select(insideBox(this.points, this.toPlane([0, 0]), this.toPlane([this.width, this.height]), this.data.n), event.shiftKey),
      enter: () => {
        const row = this.nearest(centre);
        if (row !== null) this.select(this.only(row), event.shiftKey);
      },
    };
    const act = moves[event.key] ? () => this.move(...moves[event.key]) : acts[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    this.cross(true);
    act();
    this.point(centre);
  }

  only(row) {
    const marks = new Uint8Array(this.data.n);
    marks[row] = 1;
    return marks;
  }

  // The coloured points next to a place on the screen, the nearest one first.
  near([px, py], most, reach) {
    if (!this.isReady || px < 0 || py < 0 || px > this.width || py > this.height) return [];
    const { au, av } = this.transform();
    const at = this.toPlane([px, py]);
    const { kinds } = this.palette();
    const found = [];
    let worst = reach ** 2;
    const isBefore = (one, distance, row) => one.distance < distance || (one.distance === distance && one.row < row);
    for (const { ring, beyond } of this.index().rings(at)) {
      for (const rows of ring) {
        for (const row of rows) {
          const distance = ((this.points[2 * row] - at[0]) * au) ** 2 + ((this.points[2 * row + 1] - at[1]) * av) ** 2;
          if (distance > worst || kinds[this.codes[row]] < 2) continue;
          if (found.length === most && isBefore(found[most - 1], distance, row)) continue;
          found.splice(found.findLastIndex((one) => isBefore(one, distance, row)) + 1, 0, { distance, row });
          if (found.length > most) found.pop();
          if (found.length === most) worst = found[most - 1].distance;
        }
      }
      if (Math.min(Math.abs(beyond[0] * au), Math.abs(beyond[1] * av)) ** 2 > worst) break;
    }
    return found.map((one) => one.row);
  }

  index() {
    return (this.grid ??= new Grid(this.points));
  }

  nearest(at) {
    return this.near(at, 1, REACH)[0] ?? null;
  }

  around(row) {
    return this.near(this.pixel(row), NEIGHBOURS, 4 * REACH);
  }

  // Grey context cannot be selected: what is switched off is out of the question, but keeps what it had when adding.
  select(marks, adds) {
    const { kinds } = this.palette();
    const { flags, codes } = this;
    for (let i = 0; i < marks.length; i++) flags[i] = (marks[i] && kinds[codes[i]] > 1) || (adds && flags[i]) ? 1 : 0;
    this.changed();
  }

  clear() {
    if (!this.count) return;
    this.flags.fill(0);
    this.changed();
  }

  changed() {
    const id = `b-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
    this.isSelected(id);
    this.link({ flags: this.flags, selection: id });
    const { run, n } = this.data;
    this.trigger("selected", { id, run, n, bits: packed(this.flags) });
  }

  // ---------------------------------------------------------------------------------------------------------- hover

  point(at, event = null) {
    this.pointed = at;
    if (this.looking) return;
    this.looking = requestAnimationFrame(() => {
      this.looking = null;
      if (!this.pointed || this.gesture) return;
      const row = this.nearest(this.pointed);
      if (row === this.found) return row === null || this.place();
      this.find(row);
      this.drawOver();
      if (row === null) return this.hide();
      this.show(row);
      this.inquire(row);
    });
    if (event && this.hasCross) this.cross(false);
  }

  leave() {
    this.pointed = null;
    this.hide();
    this.drawOver();
  }

  hide() {
    this.find(null);
    this.tip.hidden = true;
  }

  find(row) {
    if (row === this.found) return;
    this.found = row;
    if (this.data) this.link({ row });
  }

  // Asks for a row, or, once it is known, for its neighbours: the pointer will be on one of them next.
  inquire(row) {
    if (!shared.ask || (this.inFlight && performance.now() - this.inFlight < 1500)) return; // an answer asks further
    const rows = this.answers.has(row) ? this.around(row).filter((other) => !this.answers.has(other)) : [row];
    if (!rows.length || (rows[0] !== row && rows.length < NEIGHBOURS / 2)) return;
    this.inFlight = performance.now();
    shared.ask({ rows, run: this.data.run });
  }

  hear({ run, answers }) {
    this.inFlight = null;
    if (!this.data || run !== this.data.run) return;
    for (const answer of answers) {
      if (this.answers.size >= 400) this.answers.delete(this.answers.keys().next().value);
      this.answers.set(answer.row, answer);
    }
    if (this.found === null) return;
    if (this.answers.has(this.found)) this.show(this.found);
    this.inquire(this.found);
  }

  show(row) {
    const answer = this.answers.get(row);
    const one = this.data.categories.find((category) => category.code === this.codes[row]);
    this.tipLines.replaceChildren();
    const lines = answer?.lines ?? [one?.words ?? "", "…"];
    lines.forEach((line) => this.tipLines.append(element("div", "", line)));
    if (answer?.width) {
      const { pixels, width, height } = answer;
      Object.assign(this.tipImage, { width, height });
      const context = this.tipImage.getContext("2d");
      const image = context.createImageData(width, height);
      for (let i = 0; i < pixels.length; i++) image.data.set([pixels[i], pixels[i], pixels[i], 255], 4 * i);
      context.putImageData(image, 0, 0);
    } else {
      Object.assign(this.tipImage, { width: TIP_IMAGE, height: TIP_IMAGE });
    }
    this.tipImage.hidden = answer !== undefined && !answer.width; // of scores alone
    this.tip.hidden = false;
    this.tip.dataset.row = answer ? String(row) : "";
    this.place();
  }

  place() {
    const [px, py] = this.pixel(this.found);
    const x = px + MARGIN.left;
    const y = py + MARGIN.top + this.stage.offsetTop;
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const left = x + 16 + width <= this.root.clientWidth ? x + 16 : Math.max(0, x - 16 - width);
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${Math.max(this.stage.offsetTop, Math.min(y - height / 2, this.stage.offsetTop + this.stage.offsetHeight - height))}px`;
  }
}

const scatters = new WeakMap(); // root -> Scatter

export default function (component) {
  const root = component.parentElement.querySelector(".scatter");
  if (!scatters.has(root)) scatters.set(root, new Scatter(root));
  scatters.get(root).update(component);
  return () => {
    scatters.get(root)?.destroy();
    scatters.delete(root);
  };
}
