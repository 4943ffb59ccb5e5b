/** The text of the page: the transcript and how it is shown. Event: `change`. */
import { $ } from "./page.js";
import { Reader } from "./reader.js";
import { Transcript } from "./transcript.js";

const ACTIONS = ["copy", "txt", "srt", "vtt", "json", "clear"]; // need text

export class Text extends EventTarget {
  transcript = new Transcript();
  /** The current partial text. */
  partial = "";
  #reader;

  /** @param {number} paragraphs maximum number of paragraphs that are shown. */
  constructor(paragraphs) {
    super();
    this.#reader = new Reader($("captions"), $("back"), paragraphs);
  }

  /** Show the `committed` and `partial` events of a stream or room. */
  follow(source) {
    source.addEventListener("committed", ({ detail }) => {
      this.guess("");
      this.add(detail);
    });
    source.addEventListener("partial", ({ detail }) => this.guess(detail.text));
  }

  /** Append a committed message. */
  add(message) {
    const text = this.transcript.add(message);
    if (text === null) return;
    this.#reader.commit(text);
    this.#changed();
  }

  /** Show the current partial text; "" for none. */
  guess(text) {
    this.partial = text;
    this.#reader.guess(text);
    if (text !== "") $("hint").hidden = true;
  }

  clear() {
    this.partial = "";
    this.transcript.clear();
    this.#reader.clear();
    this.#changed();
  }

  #changed() {
    const { empty } = this.transcript;
    $("hint").hidden = !empty;
    for (const id of ACTIONS) $(id).disabled = empty;
    this.dispatchEvent(new Event("change"));
  }
}
