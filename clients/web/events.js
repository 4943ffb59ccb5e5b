/** Queue of events for one `for await` loop. */
import { StreamWhisperError } from "./fault.js";

const CAPACITY = 4096; // unread events: more than an hour of text
const REPLACED = new Set(["partial", "status", "ack"]); // a newer one supersedes older ones

/** Async iterator of events; port of streamwhisper/client/event_queue.py. */
export class EventQueue {
  #events = [];
  #waiting = []; // resolve functions of reads for which there is no event yet
  #over = false;
  #failure = null;
  #leave;

  /** @param {() => void} leave called when nobody reads the queue any more. */
  constructor(leave) {
    this.#leave = leave;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** Add an event; after `close`, it is ignored. */
  put(event) {
    if (this.#over) return;
    const read = this.#waiting.shift();
    if (read) {
      read.resolve({ value: event, done: false });
      return;
    }
    this.#events.push(event);
    if (this.#events.length >= CAPACITY) this.#thinOut();
  }

  /** Declare that no more events follow; `failure` is thrown after the last one. */
  close(failure = null) {
    if (this.#over) return;
    this.#over = true;
    this.#failure = failure;
    this.#leave();
    for (const read of this.#waiting.splice(0)) this.#finish(read);
  }

  /** Return the next event: {value, done}. */
  next() {
    return new Promise((resolve, reject) => {
      if (this.#events.length > 0) resolve({ value: this.#events.shift(), done: false });
      else if (this.#over) this.#finish({ resolve, reject });
      else this.#waiting.push({ resolve, reject });
    });
  }

  /** Stop reading: the loop was left. */
  async return(value) {
    this.#events = [];
    this.close();
    return { value, done: true };
  }

  #finish({ resolve, reject }) {
    const failure = this.#failure;
    this.#failure = null; // thrown once
    if (failure) reject(failure);
    else resolve({ value: undefined, done: true });
  }

  #thinOut() {
    const newest = new Map(this.#events.map((event, at) => [event.type, at]));
    this.#events = this.#events.filter(
      ({ type }, at) => !REPLACED.has(type) || newest.get(type) === at,
    );
    if (this.#events.length < CAPACITY) return;
    this.close(
      new StreamWhisperError(
        "unread_events",
        `${CAPACITY} events wait for the loop that reads them. Read faster, or use listeners.`,
      ),
    );
  }
}
