// Lines for a terminal: see command.py.

import { copy } from "./copying.js";

export default function (component) {
  const { data, parentElement } = component;
  parentElement.querySelector("pre").textContent = data.text;
  const button = parentElement.querySelector("button");
  button.onclick = async () => {
    await copy(data.text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };
}
