/**
 * Viewer of shared captions.
 *
 * Events: `watching` when a session starts or ends in the room, or the connection is new (its text
 * follows from the beginning); `committed`, `partial` and `done`, as of StreamWhisper; and `state`.
 */
import { StreamWhisperError } from "./fault.js";
import { Line, socketUrl } from "./line.js";

const LONGEST_DELAY = 10; // seconds between two attempts
const FIRST_DELAY = 0.5;
const OPEN_TIMEOUT = 10; // seconds

export class Room extends EventTarget {
  #url;
  #token;
  #line = null;
  #closed = false;

  /** @param {{name: string, url?: string, token?: string | null}} options */
  constructor({ name, url = `v1/watch/${encodeURIComponent(name)}`, token = null }) {
    super();
    this.#url = socketUrl(url);
    this.#token = token;
  }

  /** Watch until `close`; reconnect when the connection is lost. */
  async watch() {
    for (let attempt = 0; !this.#closed; attempt += 1) {
      if (attempt > 0) await pause(Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempt - 1)));
      try {
        this.#line = await Line.open(this.#url, this.#token, OPEN_TIMEOUT);
        this.#dispatch({ type: "state", state: "open", cause: null });
        for (;;) {
          this.#receive(await this.#line.receive());
          attempt = 0;
        }
      } catch (error) {
        if (this.#closed) return;
        const fatal = error.code !== "connection_lost" && !error.temporary;
        const state = fatal ? "failed" : "reconnecting";
        this.#dispatch({ type: "state", state, cause: error.message });
        if (fatal) return;
      }
    }
  }

  close() {
    this.#closed = true;
    this.#line?.leave();
  }

  #receive(frame) {
    const message = JSON.parse(frame);
    if (message.type === "error") throw new StreamWhisperError(message.code, message.message);
    this.#dispatch(message);
  }

  #dispatch(message) {
    this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
  }
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
