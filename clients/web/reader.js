/** The text on the page: it grows, and scrolls by itself until its reader scrolls. */

const NEAR = 48; // pixels from the end within which the reader is at the end

export class Reader {
  #element;
  #paragraph = null;
  #guess = document.createElement("span");
  #keep;
  #following = true;

  /**
   * @param {HTMLElement} element that scrolls.
   * @param {HTMLElement} back a button that leads back to the end; shown when it is needed.
   * @param {number} keep paragraphs at the most; older ones go.
   */
  constructor(element, back, keep = Infinity) {
    this.#element = element;
    this.#keep = keep;
    this.#guess.className = "partial";
    // It changes all the time: a screen reader is told what stands.
    this.#guess.ariaHidden = "true";
    const follow = (following) => {
      this.#following = following;
      back.hidden = following;
    };
    element.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = element;
      follow(scrollHeight - scrollTop - clientHeight <= NEAR);
    });
    back.addEventListener("click", () => {
      follow(true);
      this.#scroll();
      element.focus();
    });
    new ResizeObserver(() => this.#scroll()).observe(element);
  }

  /** Show text that stands: {text, begins} as Transcript.add returns it. */
  commit({ text, begins }) {
    const span = document.createElement("span");
    span.className = "committed";
    span.textContent = text;
    const used = this.#paragraph?.firstChild !== this.#guess; // else only guesses were shown in it
    if (this.#paragraph === null || (begins && used)) this.#begin();
    this.#paragraph.insertBefore(span, this.#guess);
    this.#scroll();
  }

  /** Show the present guess for what follows; "" for none. */
  guess(text) {
    if (text !== "" && this.#paragraph === null) this.#begin();
    this.#guess.textContent = text;
    this.#scroll();
  }

  clear() {
    this.#paragraph = null;
    this.#guess.textContent = "";
    this.#element.replaceChildren();
  }

  #begin() {
    this.#paragraph = document.createElement("p");
    this.#paragraph.append(this.#guess);
    this.#element.append(this.#paragraph);
    while (this.#element.children.length > this.#keep) this.#element.firstChild.remove();
  }

  #scroll() {
    if (this.#following) this.#element.scrollTop = this.#element.scrollHeight;
  }
}
