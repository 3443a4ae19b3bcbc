// What a component says later is of the page that is open when it is due to be said. Between a step to another page and
// that page, the server takes it for a wish to stay.

let steps = 0;
window.addEventListener("popstate", () => (steps += 1), { capture: true });
document.addEventListener(
  "click",
  (event) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return; // opens beside this page
    const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement);
    if (link && link.pathname !== window.location.pathname) steps += 1;
  },
  { capture: true },
);

// As setTimeout; not at all once a step away has begun.
export function later(say, milliseconds) {
  const then = steps;
  return setTimeout(() => {
    if (then === steps) say();
  }, milliseconds);
}
