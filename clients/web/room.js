/**
 * Watching what somebody else's captions say, under the name that they are shared by.
 *
 * Events: `watching`, when what follows is told from its beginning, by the session that it names,
 * if any; `committed`, `partial` and `done`, as StreamWhisper has them; and `state`.
 */
import { StreamWhisperError } from "./fault.js";
import { Line, socketUrl } from "./line.js";

const LONGEST = 10; // seconds between two attempts
const FIRST = 0.5;
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

  /** Watch until `close`; come back when the connection is lost. */
  async watch() {
    for (let attempt = 0; !this.#closed; attempt += 1) {
      if (attempt > 0) await pause(Math.min(LONGEST, FIRST * 2 ** (attempt - 1)));
      try {
        this.#line = await Line.open(this.#url, this.#token, OPEN_TIMEOUT);
        this.#tell({ type: "state", state: "open", cause: null });
        for (;;) {
          this.#hear(await this.#line.receive());
          attempt = 0;
        }
      } catch (error) {
        if (this.#closed) return;
        const fatal = error.code !== "connection_lost" && !error.passing;
        const state = fatal ? "failed" : "reconnecting";
        this.#tell({ type: "state", state, cause: error.message });
        if (fatal) return;
      }
    }
  }

  close() {
    this.#closed = true;
    this.#line?.leave();
  }

  #hear(frame) {
    const message = JSON.parse(frame);
    if (message.type === "error") throw new StreamWhisperError(message.code, message.message);
    this.#tell(message);
  }

  #tell(message) {
    this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
  }
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
