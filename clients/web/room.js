/**
 * Viewer of shared captions.
 *
 *     const room = new Room({ name: "stage", url: "localhost:8765" });
 *     for await (const event of room) if (event.type === "committed") output.append(event.text);
 *
 * Events: `watching` when a session starts or ends in the room, or the connection is new (its text
 * follows from the beginning); `committed`, `partial` and `done`, as of StreamWhisper; and `state`.
 */
import { EventQueue } from "./events.js";
import { StreamWhisperError } from "./fault.js";
import { Line, socketClass, socketUrl } from "./line.js";

const LONGEST_DELAY = 10; // seconds between two attempts
const FIRST_DELAY = 0.5;
const OPEN_TIMEOUT = 10; // seconds

export class Room extends EventTarget {
  #url;
  #token;
  #Socket;
  #line = null;
  #closed = false;
  #failure = null;
  #watching = null; // promise of `#watch`
  #queues = new Set(); // of loops over the events

  /** See RoomOptions in room.d.ts. */
  constructor({ name, url = "v1/stream", token = null, WebSocket = null }) {
    super();
    this.#url = roomUrl(url, name);
    this.#Socket = socketClass(WebSocket);
    this.#token = token;
  }

  /**
   * Iterate over the events from now on, until `close`; connects if necessary. Throws the error
   * that ends the connection for good.
   */
  [Symbol.asyncIterator]() {
    const queue = new EventQueue(() => this.#queues.delete(queue));
    if (this.#closed || this.#failure) queue.close(this.#failure);
    else this.#queues.add(queue);
    this.watch();
    return queue;
  }

  /** Watch until `close`; reconnect when the connection is lost. */
  watch() {
    this.#watching ??= this.#watch();
    return this.#watching;
  }

  async #watch() {
    for (let attempt = 0; !this.#closed; attempt += 1) {
      if (attempt > 0) await pause(Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempt - 1)));
      try {
        this.#line = await Line.open(this.#url, this.#token, OPEN_TIMEOUT, this.#Socket);
        if (this.#closed) {
          this.#line.leave();
          return;
        }
        this.#dispatch({ type: "state", state: "open", cause: null });
        for (;;) {
          this.#receive(await this.#line.receive());
          attempt = 0;
        }
      } catch (error) {
        if (this.#closed) return;
        const fatal = error.code !== "connection_lost" && !error.temporary;
        const state = fatal ? "failed" : "reconnecting";
        if (fatal) this.#failure = error;
        this.#dispatch({ type: "state", state, cause: error.message });
        if (fatal) return;
      }
    }
  }

  close() {
    this.#closed = true;
    this.#line?.leave();
    for (const queue of this.#queues) queue.close();
  }

  #receive(frame) {
    const message = JSON.parse(frame);
    if (message.type === "error") throw new StreamWhisperError(message.code, message.message);
    this.#dispatch(message);
  }

  #dispatch(message) {
    for (const queue of this.#queues) {
      if (message.state === "failed") queue.close(this.#failure);
      else queue.put(message);
    }
    this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
  }
}

/** Return the address of a room on the server whose stream or page is at `url`. */
function roomUrl(url, name) {
  const address = new URL(socketUrl(url));
  const path = `watch/${encodeURIComponent(name)}`;
  if (address.pathname.endsWith("/stream")) address.href = new URL(path, address).href;
  return address.href;
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
