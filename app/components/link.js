import { copy } from "./copying.js";

// Streamlit adds entries to the browser's history while a page stays the same: its parameters are written anew, before
// another page comes even without what its controls had put there. Here a page is one entry, which Back restores.
const HALF_WAY = 2000; // milliseconds within which another page follows the last change of the one that is left
function mendHistory() {
  /** @type {History & { fasIsMended?: boolean }} */
  const history = window.history;
  if (history.fasIsMended) return;
  history.fasIsMended = true;
  const push = history.pushState.bind(history);
  let before = { at: -Infinity, address: "" }; // the last change by such an entry
  history.pushState = (state, title, address) => {
    const here = window.location.href;
    if (new URL(String(address ?? ""), here).pathname === window.location.pathname) {
      before = { at: performance.now(), address: here };
      history.replaceState(state, title, address);
      return;
    }
    if (performance.now() - before.at < HALF_WAY) history.replaceState(state, title, before.address);
    before = { at: -Infinity, address: "" };
    push(state, title, address);
  };
}

export default function (component) {
  mendHistory();
  const button = component.parentElement.querySelector("button");
  const words = button.querySelector("span");
  button.onclick = async () => {
    await copy(window.location.href);
    words.textContent = "Copied";
    setTimeout(() => (words.textContent = "Copy link to this view"), 1500);
  };
}
