/** The page's elements and address. */

export const root = document.documentElement;
export const query = new URLSearchParams(location.search);
/** What the address has behind "#": the browser never sends it, so no server logs it. */
export const secrets = new URLSearchParams(location.hash.slice(1));
/** What the server has inserted into the page: model, multilingual, languages, direct. */
const inserted = document.querySelector("meta[name=streamwhisper]");
export const served = {
  ...inserted?.dataset,
  model: (inserted?.content ?? "").split(/[\\/]/).at(-1), // a model may be named by its path
};

/** Return the element of an id. */
export const $ = (id) => document.getElementById(id);

/** Set the text of an element; an unchanged text is not announced again. */
export function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}
