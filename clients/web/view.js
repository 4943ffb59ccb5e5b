/** Captions in any element: final text, and the current guess after it. */

const KEPT = 40; // pieces of final text that are kept for a view of a few lines

export class CaptionView {
  /** All final text. */
  text = "";
  #element;
  #guess = document.createElement("span");
  #few = false;
  #breaks = false; // the next text starts a paragraph

  /** @param {HTMLElement} element is emptied, and shows the captions from now on. */
  constructor(element) {
    this.#element = element;
    this.#guess.className = "partial";
    this.#guess.setAttribute("part", "partial");
    // The guess changes all the time, so screen readers get final text only.
    this.#guess.setAttribute("aria-hidden", "true");
    element.replaceChildren(this.#guess);
  }

  /** Show the `committed` and `partial` events of a stream or room. */
  follow(source) {
    this.#breaks = true;
    source.addEventListener("committed", ({ detail: { text } }) => this.commit(text));
    source.addEventListener("partial", ({ detail: { text } }) => this.guess(text));
  }

  /** Whether only the newest text is kept on the page; `text` has all of it. */
  set few(few) {
    this.#few = few;
    this.#prune();
  }

  commit(text) {
    this.guess("");
    if (text === "") return;
    const piece = document.createElement("span");
    piece.setAttribute("part", "committed");
    piece.textContent = this.#breaks ? text.trimStart() : text;
    const broken = this.#breaks && this.text !== "";
    this.text += (broken ? "\n" : "") + piece.textContent;
    if (broken) this.#guess.before(document.createElement("br"));
    this.#breaks = false;
    this.#guess.before(piece);
    this.#prune();
    this.#scroll();
  }

  guess(text) {
    this.#guess.textContent = text;
    this.#scroll();
  }

  clear() {
    this.text = "";
    this.#breaks = true;
    this.#guess.textContent = "";
    this.#element.replaceChildren(this.#guess);
  }

  #prune() {
    while (this.#few && this.#element.childNodes.length > KEPT) this.#element.firstChild.remove();
  }

  #scroll() {
    this.#element.scrollTop = this.#element.scrollHeight;
  }
}
