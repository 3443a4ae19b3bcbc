// What is drawn on a canvas, as SVG: a context that takes down the calls that the charts make.

import { escapedXml } from "./save_text.js";

const ruler = document.createElement("canvas").getContext("2d");
const short = (value) => String(Math.round(100 * value) / 100);
const ANCHORS = { left: "start", start: "start", center: "middle", right: "end", end: "end" };
const ALPHA = /^rgba\(([^,]+,[^,]+,[^,]+),\s*([\d.]+)\)$/;
const KEPT = ["fillStyle", "strokeStyle", "lineWidth", "globalAlpha", "font", "textAlign", "textBaseline", "lineJoin"];

// A colour and its opacity as two attributes: not every program reads rgba().
function paint(name, colour, alpha) {
  const parts = ALPHA.exec(colour);
  const opacity = alpha * (parts ? Number(parts[2]) : 1);
  const plain = parts ? `rgb(${parts[1]})` : colour;
  return `${name}="${escapedXml(plain)}"${opacity < 1 ? ` ${name}-opacity="${short(opacity)}"` : ""}`;
}

export class SvgContext {
  constructor() {
    this.parts = [];
    this.fillStyle = this.strokeStyle = "#000000";
    this.lineWidth = this.globalAlpha = 1;
    this.font = "12px sans-serif";
    this.textAlign = "left";
    this.textBaseline = "alphabetic";
    this.lineJoin = "miter";
    this.dash = [];
    this.path = "";
    this.transforms = "";
    this.clipped = 0; // number of the region that all is cut to
    this.regions = 0;
    this.saved = [];
  }

  get body() {
    return this.parts.join("\n");
  }

  add(tag, attributes, content = null) {
    const moved = this.transforms ? ` transform="${this.transforms}"` : "";
    const drawn = `<${tag} ${attributes}${moved}${content === null ? "/>" : `>${content}</${tag}>`}`;
    this.parts.push(this.clipped ? `<g clip-path="url(#region${this.clipped})">${drawn}</g>` : drawn);
  }

  save() {
    const { dash, transforms, clipped } = this;
    this.saved.push({ dash, transforms, clipped, ...Object.fromEntries(KEPT.map((name) => [name, this[name]])) });
  }

  restore() {
    Object.assign(this, this.saved.pop());
  }

  translate(x, y) {
    this.transforms += `translate(${short(x)} ${short(y)})`;
  }

  rotate(angle) {
    this.transforms += `rotate(${short((angle * 180) / Math.PI)})`;
  }

  clip() {
    this.regions += 1;
    const moved = this.transforms ? ` transform="${this.transforms}"` : "";
    this.parts.push(`<clipPath id="region${this.regions}"><path d="${this.path}"${moved}/></clipPath>`);
    this.clipped = this.regions; // within no other one
  }

  clearRect() {} // a fresh sheet

  setLineDash(dash) {
    this.dash = dash;
  }

  beginPath() {
    this.path = "";
  }

  closePath() {
    this.path += "Z";
  }

  moveTo(x, y) {
    this.path += `M${short(x)} ${short(y)}`;
  }

  lineTo(x, y) {
    this.path += `${this.path ? "L" : "M"}${short(x)} ${short(y)}`;
  }

  rect(x, y, width, height) {
    this.path += `M${short(x)} ${short(y)}h${short(width)}v${short(height)}h${short(-width)}Z`;
  }

  // Whole circles alone.
  arc(x, y, radius) {
    const half = `a${short(radius)} ${short(radius)} 0 1 0`;
    this.path += `M${short(x + radius)} ${short(y)}${half} ${short(-2 * radius)} 0${half} ${short(2 * radius)} 0Z`;
  }

  fill() {
    this.add("path", `d="${this.path}" ${paint("fill", this.fillStyle, this.globalAlpha)}`);
  }

  stroke() {
    this.add("path", `d="${this.path}" fill="none" ${this.pen}`);
  }

  get pen() {
    const dashes = this.dash.length ? ` stroke-dasharray="${this.dash.join(" ")}"` : "";
    const join = this.lineJoin === "miter" ? "" : ` stroke-linejoin="${this.lineJoin}"`;
    const colour = paint("stroke", this.strokeStyle, this.globalAlpha);
    return `${colour} stroke-width="${short(this.lineWidth)}"${dashes}${join}`;
  }

  box(x, y, width, height) {
    return `x="${short(x)}" y="${short(y)}" width="${short(Math.max(0, width))}" height="${short(Math.max(0, height))}"`;
  }

  fillRect(x, y, width, height) {
    this.add("rect", `${this.box(x, y, width, height)} ${paint("fill", this.fillStyle, this.globalAlpha)}`);
  }

  strokeRect(x, y, width, height) {
    this.add("rect", `${this.box(x, y, width, height)} fill="none" ${this.pen}`);
  }

  measureText(text) {
    ruler.font = this.font;
    return ruler.measureText(text);
  }

  text(text, x, y, most, looks) {
    const [, weight, size, face] = /^(?:(bold|\d{3}) )?([\d.]+)px (.+)$/.exec(this.font);
    const drop = this.textBaseline === "middle" ? 0.35 * Number(size) : 0; // not every program knows the middle
    const width = this.measureText(text).width;
    const fitted = most && width > most ? ` textLength="${short(most)}" lengthAdjust="spacingAndGlyphs"` : "";
    const font = `font-family="${escapedXml(face)}" font-size="${size}"${weight ? ` font-weight="${weight}"` : ""}`;
    const at = `x="${short(x)}" y="${short(y + drop)}" text-anchor="${ANCHORS[this.textAlign]}"`;
    this.add("text", `${at} ${font} ${looks}${fitted}`, escapedXml(text));
  }

  fillText(text, x, y, most = 0) {
    this.text(text, x, y, most, paint("fill", this.fillStyle, this.globalAlpha));
  }

  strokeText(text, x, y, most = 0) {
    this.text(text, x, y, most, `fill="none" ${this.pen}`);
  }

  // A drawing of its own, at its size.
  insert(svg) {
    const copy = svg.cloneNode(true);
    const { width, height } = svg.viewBox.baseVal;
    for (const [name, value] of Object.entries({ width, height, color: this.fillStyle }))
      copy.setAttribute(name, value);
    copy.removeAttribute("style");
    copy.setAttribute("font-family", "Arial, Helvetica, sans-serif");
    this.parts.push(new XMLSerializer().serializeToString(copy));
  }

  drawImage(canvas, x, y, width, height) {
    const opacity = this.globalAlpha < 1 ? ` opacity="${short(this.globalAlpha)}"` : "";
    this.add("image", `${this.box(x, y, width, height)}${opacity} href="${canvas.toDataURL("image/png")}"`);
  }
}
