/** Captions of a microphone, a tab or a screen in one call. */
import { Capture } from "./capture.js";
import { StreamWhisperError } from "./fault.js";
import { StreamWhisper } from "./streamwhisper.js";
import { CaptionView } from "./view.js";

const OVER = new Set(["done", "failed", "closed"]);

/** A running session: the captured audio, the stream that transcribes it, and its text. */
export class Captioning {
  /** The StreamWhisper; its events carry the text. */
  stream;
  /** The CaptionView that shows the text. */
  view;
  #capture;
  #released = null; // promise that the source is released
  #over;

  /**
   * Ask for the source, connect, and show the text in a view. Throws an error with advice for the
   * user.
   * @param {CaptionView} view
   * @param {object} options those of StreamWhisper, and `source` and `worklet` of Capture.
   */
  static async begin(
    view,
    { source = { kind: "microphone" }, worklet = undefined, ...options } = {},
  ) {
    const capture = await Capture.open(source, { worklet });
    try {
      const stream = new StreamWhisper({ ...options, sampleRate: capture.sampleRate });
      return new Captioning(capture, stream, view);
    } catch (error) {
      await capture.stop();
      throw error;
    }
  }

  constructor(capture, stream, view) {
    this.#capture = capture;
    this.stream = stream;
    this.view = view;
    view.follow(stream);
    this.#over = new Promise((resolve) => {
      stream.addEventListener("state", ({ detail: { state } }) => {
        if (OVER.has(state)) resolve(this.#leave());
      });
    });
    capture.onend = () => this.stop().catch(() => {}); // unplugged, or no longer shared
    stream.connect().catch(() => {}); // the stream's events report it
    capture.run((samples) => {
      if (!OVER.has(stream.state)) stream.send(samples);
    });
  }

  /** All final text so far. */
  get text() {
    return this.view.text;
  }

  /** Stop to listen; resolves with the whole text. Throws the error that ended the session. */
  async stop() {
    await this.#release();
    if (!OVER.has(this.stream.state) || this.stream.state === "failed") await this.stream.end();
    await this.#over;
    return this.text;
  }

  /** Close at once; text that is not final is lost. */
  async close() {
    this.stream.close();
    await this.#over;
  }

  async #leave() {
    this.view.guess("");
    await this.#release();
  }

  #release() {
    this.#released ??= this.#capture.stop();
    return this.#released;
  }
}

/**
 * Show captions in an element of the page.
 *
 *     const running = await captions({ element: "#text", url: "localhost:8765" });
 *     button.onclick = async () => console.log(await running.stop());
 *
 * Resolves when the microphone is open. Throws a StreamWhisperError with advice for the user.
 * @param {import("./captioning.js").CaptionsOptions} options those of StreamWhisper, and `element`.
 */
export async function captions({ element, ...options }) {
  const shown = typeof element === "string" ? document.querySelector(element) : element;
  if (!(shown instanceof Element)) {
    throw new StreamWhisperError(
      "no_element",
      `element is ${JSON.stringify(element ?? null)}; expected an element of the page or its selector.`,
    );
  }
  return Captioning.begin(new CaptionView(shown), options);
}
