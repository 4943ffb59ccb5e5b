/**
 * The text of the page: the transcript and how it is shown. Events: `change` after committed text,
 * and `seen` when text appears on an empty page or the page is empty again.
 */
import { $ } from "./page.js";
import { Reader } from "./reader.js";
import { Transcript } from "./transcript.js";

const ACTIONS = ["copy", "txt", "srt", "vtt", "json", "clear"]; // need text
const MIRRORED = 400; // words that a new mirror shows

export class Text extends EventTarget {
  transcript = new Transcript();
  #readers;
  #guess = null; // the last partial message

  /** @param {number} paragraphs maximum number of paragraphs that are shown. */
  constructor(paragraphs) {
    super();
    this.#readers = new Set([new Reader($("captions"), $("back"), paragraphs)]);
  }

  /** The current partial text. */
  get partial() {
    return this.#guess?.text ?? "";
  }

  /** Whether there is neither committed nor partial text. */
  get empty() {
    return this.transcript.empty && this.partial === "";
  }

  /** Show the `committed` and `partial` events of a stream or room. */
  follow(source) {
    source.addEventListener("committed", ({ detail }) => {
      this.#show(null);
      this.add(detail);
    });
    source.addEventListener("partial", ({ detail }) => this.#show(detail));
  }

  /** Append a committed message. */
  add(message) {
    const text = this.transcript.add(message);
    if (text === null) return;
    for (const reader of this.#readers) reader.commit(text);
    this.#changed();
  }

  /** Show a partial text; "" for none. */
  guess(text) {
    this.#show(text === "" ? null : { text });
  }

  /** Turn the partial text into committed text. */
  keepGuess(message) {
    this.transcript.continueAt(0);
    this.add({ words: [], ...message, final: true });
  }

  /** Remove the partial text, and return its message with times on the transcript's clock. */
  takeGuess(offset) {
    const guess = this.#guess;
    this.#show(null);
    if (!guess?.text.trim()) return null;
    const shifted = (part) => ({ ...part, start: part.start + offset, end: part.end + offset });
    return { ...shifted(guess), words: (guess.words ?? []).map(shifted) };
  }

  clear() {
    this.load([]);
  }

  /** Show other words in place of the present ones. */
  load(spans) {
    this.#guess = null;
    const paragraphs = this.transcript.restore(spans);
    for (const reader of this.#readers) {
      reader.clear();
      for (const paragraph of paragraphs) reader.commit(paragraph);
    }
    this.#changed();
    this.dispatchEvent(new Event("seen"));
  }

  /** Let another Reader show the newest text, and all that follows. */
  mirror(reader) {
    const recent = this.transcript.spans.slice(-MIRRORED);
    const copy = new Transcript();
    for (const paragraph of copy.restore(recent)) reader.commit(paragraph);
    reader.guess(this.partial);
    this.#readers.add(reader);
  }

  unmirror(reader) {
    this.#readers.delete(reader);
  }

  #show(message) {
    const was = this.empty;
    this.#guess = message;
    for (const reader of this.#readers) reader.guess(this.partial);
    if (this.partial !== "") $("hint").hidden = true;
    if (was && !this.empty) this.dispatchEvent(new Event("seen"));
  }

  #changed() {
    const { empty } = this.transcript;
    $("hint").hidden = !empty;
    for (const id of ACTIONS) $(id).disabled = empty;
    if (!empty) this.dispatchEvent(new Event("change"));
    this.dispatchEvent(new Event("seen"));
  }
}
