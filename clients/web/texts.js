/** Texts of the page in the reader's language; strings.js has them all. */
import { remember, remembered } from "./appearance.js";
import strings from "./strings.js";

const FALLBACK = "en";
// Which attribute or text of an element gets a text: data-t-label="key" sets aria-label.
const PLACES = { t: "textContent", tLabel: "ariaLabel", tPlaceholder: "placeholder", tTitle: "title" };

let current = chosen();

/** Codes of the languages in which the page is available. */
export const available = Object.keys(strings);

/** Code of the language in use, e.g. "de". */
export function language() {
  return current;
}

/** Return the text of a key, with its {placeholders} replaced by values. */
export function t(key, values = {}) {
  const text = strings[current][key] ?? strings[FALLBACK][key];
  if (text === undefined) throw new Error(`strings.js has no text "${key}".`);
  return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

/** Return the name of a language in that language, e.g. "Deutsch". */
export function languageOf(code) {
  return new Intl.DisplayNames([code], { type: "language" }).of(code);
}

/** Return whether a key has a text. */
export const known = (key) => key in strings[FALLBACK];

/** Write the texts of all elements with a data-t attribute, in the document or below an element. */
export function translate(below = document) {
  if (below === document) document.documentElement.lang = current;
  for (const [data, property] of Object.entries(PLACES)) {
    const name = data.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    for (const element of below.querySelectorAll(`[data-${name}]`)) {
      element[property] = t(element.dataset[data]);
    }
  }
}

/** Switch to another language and keep it for the next visit; returns whether it is available. */
export function speak(code) {
  if (!(code in strings)) return false;
  current = code;
  remember("ui", code);
  translate();
  document.dispatchEvent(new CustomEvent("language"));
  return true;
}

function chosen() {
  const wanted = [remembered("ui"), ...(navigator.languages ?? [])];
  const codes = wanted.map((tag) => tag?.split("-")[0].toLowerCase());
  return codes.find((code) => code in strings) ?? FALLBACK;
}
