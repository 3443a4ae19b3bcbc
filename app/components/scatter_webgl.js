// The renderer on the graphics card: see scatter_raster.js.

import { CONTEXT, distanceFrom, OUTER, RIM, STROKE } from "./scatter_shapes.js";

const EMULATED = /swiftshader|llvmpipe|softpipe|software|basic render/i;

const PICTURE = 48; // of the picture of a shape, whose values are the distances from its outline

const VERTEX = `#version 300 es
in vec2 at; in float code; in float flag;
uniform vec4 transform; uniform vec2 size; uniform float radius; uniform int layer, shaped; uniform sampler2D palette;
out vec3 colour, edge; out float hollow, shape;
void main() {
  vec4 style = texelFetch(palette, ivec2(int(code), 0), 0);
  int kind = int(style.a * 3.0 + 0.5);
  int mine = flag > 0.5 ? 2 : kind == 1 ? 0 : 1;
  if (kind == 0 || mine != layer) { gl_Position = vec4(2.0, 2.0, 2.0, 1.0); return; }
  vec2 pixel = at * transform.xz + transform.yw;
  gl_Position = vec4(2.0 * pixel.x / size.x - 1.0, 1.0 - 2.0 * pixel.y / size.y, 0.0, 1.0);
  gl_PointSize = shaped > 0 ? 2.0 * ${OUTER.toFixed(2)} * radius : max(1.0, 2.0 * radius + 1.0);
  vec4 rim = texelFetch(palette, ivec2(int(code), 1), 0);
  vec3 context = vec3(${CONTEXT.map((c) => (c / 255).toFixed(4)).join(",")});
  colour = layer == 0 ? context : style.rgb;
  edge = layer == 0 ? context : rim.rgb;
  shape = floor(rim.a * 255.0 + 0.5);
  hollow = kind == 3 && layer > 0 ? 1.0 : 0.0;
}`;
const FRAGMENT = `#version 300 es
precision highp float; precision highp int;
in vec3 colour, edge; in float hollow, shape;
uniform float radius, ratio, count; uniform int shaped; uniform sampler2D shapes; out vec4 sum;
void main() {
  if (shaped == 0) {
    float d = length(gl_PointCoord - 0.5) * max(1.0, 2.0 * radius + 1.0);
    float w = radius < 0.75 ? 1.0 : clamp(radius + 0.5 - d, 0.0, 1.0);
    sum = vec4(edge * w, w);
    return;
  }
  vec2 inside = clamp(gl_PointCoord, ${(0.5 / PICTURE).toFixed(5)}, ${(1 - 0.5 / PICTURE).toFixed(5)});
  float d = (texture(shapes, vec2((shape + inside.x) / count, inside.y)).r * 2.0 - 1.0) * ${OUTER.toFixed(2)} * radius;
  float w = clamp(0.5 - d, 0.0, 1.0);
  if (hollow > 0.5) w *= clamp(d + ${STROKE.toFixed(2)} * ratio + 0.5, 0.0, 1.0);
  float rim = hollow > 0.5 ? 1.0 : clamp(d + ${RIM.toFixed(2)} * ratio + 0.5, 0.0, 1.0);
  sum = vec4(mix(colour, edge, rim) * w, w);
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

export class WebGL {
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

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {WebGL2RenderingContext} gl
   * @param {number} format of the sums
   */
  constructor(canvas, gl, format) {
    this.name = "webgl";
    this.canvas = canvas;
    this.gl = gl;
    this.format = format;
    /** @type {Record<string, WebGLBuffer>} */
    this.buffers = {};
    this.size = "";
    this.points_ = this.program(VERTEX, FRAGMENT);
    this.whole = this.program(WHOLE, RESOLVE);
    this.sums = gl.createTexture();
    this.target = gl.createFramebuffer();
    this.palette = gl.createTexture();
    this.shapes = gl.createTexture();
    this.shapesAre = "";
  }

  program(vertex, fragment) {
    const { gl } = this;
    const made = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, vertex],
      [gl.FRAGMENT_SHADER, fragment],
    ]) {
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
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
      gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
  }

  // The distances from all outlines beside each other, so that both renderers draw the same shapes.
  drawShapes(outlines) {
    const { gl } = this;
    const wanted = JSON.stringify(outlines);
    if (this.shapesAre === wanted) return;
    this.shapesAre = wanted;
    const across = PICTURE * outlines.length;
    const distances = new Uint8Array(across * PICTURE);
    const at = (pixel) => ((pixel + 0.5) / PICTURE - 0.5) * 2 * OUTER;
    outlines.forEach((outline, i) => {
      for (let y = 0; y < PICTURE; y++)
        for (let x = 0; x < PICTURE; x++) {
          const share = distanceFrom(outline, at(x), at(y)) / OUTER;
          distances[y * across + i * PICTURE + x] = Math.round(127.5 * (1 + Math.max(-1, Math.min(1, share))));
        }
    });
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    this.texture(this.shapes, across, PICTURE, gl.R8, gl.RED, gl.UNSIGNED_BYTE, distances);
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.LINEAR);
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
  }

  setLooks(palette) {
    const { gl } = this;
    const styles = new Uint8Array(2048); // a row of colours and kinds, and one of edges and shapes
    for (let code = 0; code < 256; code++) {
      for (let c = 0; c < 3; c++) {
        styles[4 * code + c] = palette.colours[3 * code + c];
        styles[1024 + 4 * code + c] = palette.edges[3 * code + c];
      }
      styles[4 * code + 3] = 85 * palette.kinds[code];
      styles[1024 + 4 * code + 3] = palette.shapes[code];
    }
    this.texture(this.palette, 256, 2, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, styles);
    this.drawShapes(palette.outlines);
  }

  draw({ transform, palette, radius, peak, first, dims, every, ratio, isShaped, n, layers }) {
    const { gl, canvas } = this;
    const { width, height } = canvas;
    if (this.size !== `${width} ${height}`) {
      this.size = `${width} ${height}`;
      const type = this.format === gl.RGBA32F ? gl.FLOAT : gl.HALF_FLOAT;
      this.texture(this.sums, width, height, this.format, gl.RGBA, type, null);
      gl.bindFramebuffer(gl.FRAMEBUFFER, this.target);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.sums, 0);
    }
    this.setLooks(palette);
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
      gl.activeTexture(gl.TEXTURE1);
      gl.bindTexture(gl.TEXTURE_2D, this.shapes);
      gl.uniform1i(this.points_.at("shapes"), 1);
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D, this.palette);
      gl.uniform1f(this.points_.at("count"), palette.outlines.length);
      gl.uniform1i(this.points_.at("shaped"), isShaped ? 1 : 0);
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
