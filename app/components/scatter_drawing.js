// What a plot shows: the points through a renderer, and axes, trails and marks on a canvas over them.

import { element } from "./nodes.js";
import { ticksBetween } from "./numbers.js";
import { MARGIN, Plane } from "./scatter_plane.js";
import { Raster } from "./scatter_raster.js";
import { TOP } from "./scatter_shapes.js";
import { WebGL } from "./scatter_webgl.js";

const SMOOTH = 45; // milliseconds that a frame may take while something is dragged; beyond it, a part of the points
const ALONE = 0.9; // opacity of a single point where shapes are drawn: as palette.OPACITY
const WIDE = 640; // pixels from which on tools and legend have room within the plot
const ABOVE = 158; // pixels of a page above a plot that fills the window
const IDLE = 350; // milliseconds until points are sorted into the grid

// Whether white stands out from a colour more than black does; "" is white.
function isDark(colour) {
  const parts = colour.startsWith("#")
    ? [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16))
    : (colour.match(/[\d.]+/g) ?? [255, 255, 255]).map(Number);
  const [red, green, blue] = parts.map((part) => (part / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.18;
}

export class Drawing extends Plane {
  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.stage = element("div", "stage");
    this.over = element("canvas", "over");
    /** @type {HTMLCanvasElement} of the renderer */
    this.canvas = null;
    /** @type {Raster | WebGL} */
    this.renderer = null;
    this.sizeIs = "";
    this.cost = 0; // milliseconds of a frame with all points
    this.drawing = null; // the frame that is asked for
    this.wantsMoving = false;
    this.sharpening = null;
    this.gesture = null;
    this.hasCross = false;
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

  layOut() {
    const width = Math.floor(this.root.clientWidth);
    if (!width || !this.data) return;
    const isInside = this.data.fills && width >= WIDE;
    this.root.classList.toggle("inside", isInside);
    const fitting = this.data.fills ? Math.min(window.innerHeight - ABOVE, width) : Math.min(0.86 * width, 620);
    const height = Math.round(Math.max(fitting, 360));
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const before = this.view && this.fitted();
    this.width = width - MARGIN.left - MARGIN.right;
    this.height = height - MARGIN.top - MARGIN.bottom;
    // What is in view stays so, and the address right: it says how much of all is shown.
    if (before) this.view = { ...this.view, unit: (this.view.unit * this.fitted()) / before };
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
    if (this.canvas.width !== across || this.canvas.height !== down)
      Object.assign(this.canvas, { width: across, height: down });
    Object.assign(this.canvas.style, {
      left: `${MARGIN.left}px`,
      top: `${MARGIN.top}px`,
      width: `${this.width}px`,
      height: `${this.height}px`,
    });
    if (!this.isReady) return this.drawOver();
    if (!this.view) this.setView();
    if (isNew) this.draw();
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
    this.isOnDark = isDark(getComputedStyle(this.root).getPropertyValue("--st-background-color"));
    this.root.classList.toggle("dark", this.isOnDark);
    const every = isMoving ? Math.min(60, Math.max(1, Math.ceil(this.cost / SMOOTH))) : 1;
    const start = performance.now();
    this.renderer.draw(this.scene(every));
    if (every === 1) this.cost = performance.now() - start;
    else this.sharpening = setTimeout(() => this.draw(), 160);
    this.drawOver();
    const { x, y, unit } = this.view;
    this.root.dataset.view = JSON.stringify({
      x,
      y,
      unit,
      width: this.width,
      height: this.height,
      left: MARGIN.left,
      top: MARGIN.top,
    });
    this.root.dataset.cost = (performance.now() - start).toFixed(1);
    if (every === 1) this.root.dataset.painted = String(Number(this.root.dataset.painted ?? 0) + 1); // for measurements
    if (!this.grid) setTimeout(() => this.index(), IDLE); // not while somebody waits for the first answer to the pointer
  }

  // What a renderer is told: one in `every` points.
  scene(every) {
    const radius = this.radius;
    const peak = this.peak(radius);
    const isShaped = this.isShaped(radius);
    const first = isShaped ? ALONE : Math.max(0.3, ALONE / (1 + 0.25 * Math.log2(peak)));
    const palette = this.palette();
    const hasContext = palette.kinds.includes(1);
    return {
      transform: this.transform(this.ratio),
      palette,
      radius,
      peak: Math.max(peak, 1.001),
      first: [first * 0.8, first, Math.max(first, 0.8)],
      dims: this.count ? [0.25, 0.3, 1] : [0.35, 1, 1],
      layers: [...(hasContext ? [0] : []), 1, ...(this.count ? [2] : [])],
      every,
      ratio: this.ratio,
      isShaped,
      n: this.data.n,
    };
  }

  // Axes, the gesture under way, marks of single points.
  drawOver() {
    if (!this.over.width || !this.data) return;
    const context = this.over.getContext("2d");
    const { ratio, width, height } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width + 100, height + 100);
    const style = getComputedStyle(this.root);
    const looks = { ink: style.color, ground: style.getPropertyValue("--st-background-color"), face: style.fontFamily };
    this.drawAround(context, looks, () => {
      this.drawGesture(context, looks.ink);
      if (this.hasCross) this.drawCross(context, looks.ink);
    });
  }

  // All but the points. `drawMore`: on top of them.
  drawAround(context, { ink, ground, face }, drawMore = () => {}) {
    context.font = `12px ${face}`;
    this.drawFrame(context, ink);
    if (!this.view) return;
    if (this.data.ticks) this.drawTicks(context);
    context.save();
    context.translate(MARGIN.left, MARGIN.top);
    context.beginPath();
    context.rect(0, 0, this.width, this.height);
    context.clip();
    if (this.data.lines) this.drawLines(context);
    if (this.data.trails) this.drawTrails(context, ink, ground);
    this.drawRings(context, ink, ground);
    drawMore();
    context.restore();
  }

  // The edge of the plot area, the note above it and the axes' titles.
  drawFrame(context, text) {
    const { width, height } = this;
    context.fillStyle = text;
    context.strokeStyle = "rgba(128,128,128,0.35)";
    context.lineWidth = 1;
    context.strokeRect(MARGIN.left + 0.5, MARGIN.top + 0.5, width - 1, height - 1);
    context.textAlign = "left";
    context.textBaseline = "middle";
    if (this.root.classList.contains("inside")) {
      context.textAlign = "right"; // beside the tools
      context.fillText(this.data.note, MARGIN.left + width, MARGIN.top / 2, width - 350);
    } else context.fillText(this.data.note, MARGIN.left, MARGIN.top / 2, width);
    const [across, up] = this.data.titles;
    context.textAlign = "center";
    context.fillText(across, MARGIN.left + width / 2, MARGIN.top + height + 30, width);
    context.save();
    context.translate(10, MARGIN.top + height / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(up, 0, 0, height);
    context.restore();
  }

  // Around the marked sample, and those that are pointed at here and in another plot.
  drawRings(context, text, ground) {
    const rings = [
      { row: this.data.marked, size: 9 },
      { row: this.elsewhere, size: 9 },
      { row: this.found, size: 7 },
    ];
    for (const { row, size } of rings) {
      if (row === null || row === undefined || !this.isReady || row >= this.data.n) continue;
      const [px, py] = this.pixel(row);
      const ring = (on) => on.arc(px, py, size, 0, 2 * Math.PI);
      this.strokeLayers(context, ring, [ground, 4], [text, 2]);
    }
  }

  drawCross(context, text) {
    const [px, py] = [this.width / 2, this.height / 2];
    context.strokeStyle = text;
    context.lineWidth = 1;
    context.beginPath();
    for (const side of [-1, 1]) {
      context.moveTo(px + 14 * side, py);
      context.lineTo(px + 4 * side, py);
      context.moveTo(px, py + 14 * side);
      context.lineTo(px, py + 4 * side);
    }
    context.stroke();
  }

  // Lines of [colour, width] on top of each other, along what `trace` puts on a path.
  strokeLayers(context, trace, ...lines) {
    context.beginPath();
    trace(context);
    for (const [colour, width] of lines) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    }
  }

  drawTicks(context) {
    const { view, width, height } = this;
    const label = (value) => String(Number(value.toPrecision(6))).replace("-", "−");
    // The axes' own numbers at the edges of the view: of two units, where both are not those of the plane.
    const { low, ticks } = this.data;
    const at = (axis, value) =>
      ticks[axis][0] + ((value - low[axis]) / this.span[axis]) * (ticks[axis][1] - ticks[axis][0]);
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
    const centred = {
      textAlign: "center",
      textBaseline: "middle",
      lineJoin: "round",
      font: context.font.replace("12px", "bold 11px"),
    };
    Object.assign(context, centred);
    const named = []; // where names of steps stand: none stands on another
    for (const group of groups) {
      if (this.off.has(group.name)) continue;
      const places = group.places.map(
        (place) => place && [(place[0] - view.x) / view.unit + width / 2, height / 2 - (place[1] - view.y) / view.unit],
      );
      const path = places.filter((place) => place);
      this.strokeLayers(context, (on) => this.trail(on, path), [ground, 5], [group.colour, 2.5]);
      places.forEach((place, i) => {
        if (!place) return;
        const isHere = i === current;
        const [px, py] = place;
        const dot = (on) => on.arc(px, py, isHere ? 5.5 : 3.5, 0, 2 * Math.PI);
        if (isHere) this.strokeLayers(context, dot, [text, 6], [group.colour, 3]);
        else this.strokeLayers(context, dot, [group.colour, 2]);
        context.fillStyle = group.hollow ? ground : group.colour;
        context.fill();
        const above = py - 15;
        if (named.some(([x, y]) => Math.hypot(px - x, above - y) < 13)) return;
        named.push([px, above]);
        context.strokeStyle = ground;
        context.lineWidth = 4;
        context.strokeText(steps[i], px, above);
        context.fillStyle = text;
        context.fillText(steps[i], px, above);
      });
    }
  }

  // Through places on the screen, with an arrow at the last one.
  trail(path, places) {
    places.forEach(([px, py], i) => (i ? path.lineTo(px, py) : path.moveTo(px, py)));
    const [end, before] = [places.at(-1), places.at(-2)];
    if (before && Math.hypot(end[0] - before[0], end[1] - before[1]) > 6) {
      const angle = Math.atan2(end[1] - before[1], end[0] - before[0]);
      for (const side of [-0.45, 0.45]) {
        path.moveTo(end[0], end[1]);
        path.lineTo(end[0] - 11 * Math.cos(angle + side), end[1] - 11 * Math.sin(angle + side));
      }
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
}
