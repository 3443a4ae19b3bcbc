// Nodes of the page. Texts from data go through textContent only, so that no sample id brings markup into it.

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {string | number} text
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, className = "", text = null) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== null) made.textContent = String(text);
  return made;
}
