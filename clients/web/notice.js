/** The notice near the text: one message at a time, with an optional button or field. */
import { $ } from "./page.js";

let shown = null; // kind of the message

/**
 * Show a message in place of the one before; an unchanged one is not announced again.
 * @param {string} text
 * @param {object} options
 * @param {string | null} options.kind what the message is about, for `settle`.
 * @param {{label: string, run: () => void} | null} options.action a button; it also closes the
 *   message.
 * @param {HTMLElement | null} options.field an input.
 */
export function show(text, { kind = null, action = null, field = null } = {}) {
  const element = $("notice");
  shown = kind;
  if (element.firstChild?.textContent === text && !action && !field) return;
  element.replaceChildren();
  if (text === "") return;
  element.append(Object.assign(document.createElement("span"), { textContent: text }));
  if (field) element.append(field);
  if (!action) return;
  const button = Object.assign(document.createElement("button"), { textContent: action.label });
  button.onclick = () => {
    clear();
    action.run();
  };
  element.append(button);
}

export function clear() {
  show("");
}

/** Remove the message if it is of this kind. */
export function settle(kind) {
  if (shown === kind) clear();
}

/** Return the message; "": none. */
export const current = () => $("notice").firstChild?.textContent ?? "";
