// How large the images of a gallery are, and how many stand on the screen.

const NAMED = 100; // pixels of an image that has room for its name
const SMALLEST = 48; // of images that are told apart
const GAP = 8; // between cards, as in gallery.css
const AROUND = 16; // padding and border of a card, both sides
const LINE = 24; // of a caption of one line
const BAR_BELOW = 64; // of the page, which sticks to the bottom
/** @type {[number, number][]} columns and rows of a review */
const SCREENS = [
  [1, 4],
  [2, 2],
  [2, 3],
  [1, 5],
  [3, 2],
  [1, 6],
];

const widthOf = (side, panels) => panels.length * side + (panels.length - 1) * 2;

// { side, columns (0: as many as fit), perScreen (0: all), isSheet: with captions of one line }
export function layOut(grid, { panels, size, layout }) {
  const sized = layout === "sheet" ? ofSheet(grid, panels, size) : ofReview(grid, panels, layout);
  const { side, columns, isSheet } = sized;
  grid.style.setProperty("--side", `${side}px`);
  grid.style.setProperty("--row", `${widthOf(side, panels)}px`);
  grid.style.setProperty("--card", `${widthOf(side, panels) + AROUND}px`);
  grid.style.gridTemplateColumns = columns ? `repeat(${columns}, minmax(0, 1fr))` : "";
  grid.classList.toggle("unnamed", isSheet);
  grid.classList.toggle("reviewed", layout !== "sheet");
  grid.classList.toggle("enlarged", enlarged(side, panels[0].width, layout));
  return sized;
}

// Squares where they are of one size, or too large for the eye to see that they are not; averaged elsewhere.
function enlarged(side, pixels, layout) {
  const shown = side * window.devicePixelRatio;
  return layout === "sheet" ? shown > pixels : shown >= 2 * pixels;
}

// Images are as large as asked, or half as large, and so on, until all of a card fit beside each other: at every size a
// pixel stays a pixel, or a square of pixels. What is smaller than its pixels is averaged. The browser's zoom counts too.
function ofSheet(grid, panels, size) {
  const room = grid.clientWidth;
  let side = size;
  while (room && side > 32 && widthOf(side, panels) + AROUND > room) side /= 2;
  // A contact sheet has two columns at least, if the images are then not too small to be told apart.
  const half = Math.floor(((room - GAP) / 2 - AROUND - (panels.length - 1) * 2) / panels.length);
  if (side < NAMED && side > half && half >= SMALLEST) side = half;
  return { side, columns: 0, perScreen: 0, isSheet: side < NAMED }; // too narrow for words: the legend names the images
}

// As large as the window has room for without scrolling: four to six cards, whichever shows most, or one.
function ofReview(grid, panels, layout) {
  const scroller = document.querySelector("[data-testid=stMain]");
  const top = grid.getBoundingClientRect().top + (scroller?.scrollTop ?? 0);
  const room = grid.clientWidth || 600;
  const height = Math.max(320, window.innerHeight - top - BAR_BELOW);
  const sideOf = (columns, rows, caption) =>
    Math.floor(
      Math.min(
        ((room - (columns - 1) * GAP) / columns - AROUND - (panels.length - 1) * 2) / panels.length,
        (height - (rows - 1) * GAP) / rows - AROUND - caption,
      ),
    );
  if (layout === "large")
    return { side: Math.max(SMALLEST, sideOf(1, 1, 5 * LINE)), columns: 1, perScreen: 1, isSheet: false };
  const shown = ([columns, rows]) => columns * rows * Math.max(0, sideOf(columns, rows, LINE)) ** 2;
  const [columns, rows] = SCREENS.reduce((best, screen) => (shown(screen) > shown(best) ? screen : best));
  return { side: Math.max(SMALLEST, sideOf(columns, rows, LINE)), columns, perScreen: columns * rows, isSheet: true };
}
