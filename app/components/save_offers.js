// What components offer to save: the menu of saving.js hears of it, whichever of them is there first.

/**
 * A chart that draws itself. `name`: of its file. `picture` draws on a context as that of a canvas, in these looks.
 * @typedef {{ ink: string, ground: string, face: string }} Looks
 * @typedef {{ words: string, colour: string, hollow?: boolean, outline?: number[][] }} Key an entry of a legend
 * @typedef {{
 *   name: string, words: () => string, table: () => { heads: string[], rows: Iterable<any[]> },
 *   size: () => { width: number, height: number }, draw: (context: any, looks: Looks) => void, keys: () => Key[],
 * }} Offer
 */

/** @type {{ of: Map<HTMLElement, Offer>, heard: EventTarget }} */
export const offers = (globalThis.fasOffers ??= { of: new Map(), heard: new EventTarget() });

/**
 * @param {HTMLElement} frame positioned; the menu stands in its upper right corner
 * @param {Offer} offer
 */
export function offerToSave(frame, offer) {
  offers.of.set(frame, offer);
  offers.heard.dispatchEvent(new Event("offer"));
}
