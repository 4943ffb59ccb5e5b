/** The text on the page: follows new text until the user scrolls. */

const NEAR = 48; // pixels from the end within which the text follows

export class Reader {
  #element;
  #paragraph = null;
  #partial = document.createElement("span");
  #keep;
  #following = true;

  /**
   * @param {HTMLElement} element scrolling element of the text.
   * @param {HTMLElement} back button that jumps to the end; visible while the text is scrolled back.
   * @param {number} keep maximum number of paragraphs; older ones are removed.
   */
  constructor(element, back, keep = Infinity) {
    this.#element = element;
    this.#keep = keep;
    this.#partial.className = "partial";
    // Partial text changes all the time, so screen readers get committed text only.
    this.#partial.ariaHidden = "true";
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

  /** Append committed text: {text, begins, words}, as Transcript.add returns it. */
  commit({ text, begins, words = [] }) {
    const span = document.createElement("span");
    span.className = "committed";
    if (words.length > 0) span.append(...words.flatMap(wordSpan));
    else span.textContent = text;
    const used = this.#paragraph?.firstChild !== this.#partial; // otherwise it has partial text only
    if (this.#paragraph === null || (begins && used)) this.#begin();
    this.#paragraph.insertBefore(span, this.#partial);
    this.#scroll();
  }

  /** Show the current partial text; "" for none. */
  guess(text) {
    if (text !== "" && this.#paragraph === null) this.#begin();
    this.#partial.textContent = text;
    this.#scroll();
  }

  clear() {
    this.#paragraph = null;
    this.#partial.textContent = "";
    this.#element.replaceChildren();
  }

  #begin() {
    this.#paragraph = document.createElement("p");
    this.#paragraph.append(this.#partial);
    this.#element.append(this.#paragraph);
    while (this.#element.children.length > this.#keep) this.#element.firstChild.remove();
  }

  #scroll() {
    if (this.#following) this.#element.scrollTop = this.#element.scrollHeight;
  }
}

/** Return the space before a word, and its element; data attributes have its times and confidence. */
function wordSpan({ text, start, end, confidence }) {
  const word = text.trimStart();
  const span = document.createElement("span");
  span.className = "word";
  span.textContent = word;
  span.dataset.start = start;
  span.dataset.end = end;
  if (confidence !== null) span.dataset.confidence = confidence;
  return [text.slice(0, text.length - word.length), span];
}
