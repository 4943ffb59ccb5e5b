/** A short message above the dock that goes away by itself, with an optional button. */
import { $ } from "./page.js";

const SHOWN = 10_000; // milliseconds
let timer;

/**
 * @param {string} text
 * @param {{label: string, run: () => void} | null} action
 */
export function toast(text, action = null) {
  clearTimeout(timer);
  $("toast").replaceChildren(Object.assign(document.createElement("span"), { textContent: text }));
  if (action) {
    const button = Object.assign(document.createElement("button"), { textContent: action.label });
    button.onclick = () => {
      hide();
      action.run();
    };
    $("toast").append(button);
  }
  timer = setTimeout(hide, SHOWN);
}

/** Remove the message. */
export function hide() {
  clearTimeout(timer);
  $("toast").replaceChildren();
}
