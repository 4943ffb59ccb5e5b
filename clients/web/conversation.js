/**
 * A client's side of the native protocol, over all connections it takes; without sockets.
 *
 * What is to be sent goes in by `send` and `say` and comes out by `take`; what a server said goes
 * in by `hear`. When the connection is lost, `opening` says how to begin the next one, and
 * `opened` reads the answer. See docs/PROTOCOL.md, and streamwhisper/client/protocol.py.
 */
import { Continuity } from "./continuity.js";
import { StreamWhisperError } from "./fault.js";
import { Journal } from "./journal.js";

const SAMPLE_BYTES = { pcm_s16le: 2, pcm_f32le: 4, mulaw: 1, alaw: 1 };
const FRAME_BYTES = 64 * 1024; // of audio in a frame; a server takes 1 MiB at the most
const ROUNDING = 0.05; // seconds by which a server may count otherwise, for it resamples
const QUIET = 2; // seconds of audio after which a server has said something; it does each second

export class Conversation {
  /** What the server said when the session was opened or resumed last; null: it is to be opened. */
  ready = null;
  /** The number of the newest message from the server. */
  lastSeq = 0;
  /** Whether the server has committed everything and left, though there may be more to hear. */
  dismissed = false;
  #start;
  #rate; // bytes a second
  #frame; // bytes of one sample of all channels
  #ended = false;
  #events = new Continuity();
  #journal;

  /**
   * @param {object} start the protocol's start, with an encoding, sample_rate and channels.
   * @param {{maxUnacknowledged: number, maxReplay: number}} options seconds of audio.
   */
  constructor(start, { maxUnacknowledged, maxReplay }) {
    const size = SAMPLE_BYTES[start.encoding];
    if (size === undefined) {
      throw new StreamWhisperError(
        "unknown_encoding",
        `encoding is "${start.encoding}"; expected one of ${Object.keys(SAMPLE_BYTES).join(", ")}.`,
      );
    }
    this.#start = start;
    this.#frame = size * start.channels;
    this.#rate = this.#frame * start.sample_rate;
    this.#journal = new Journal(maxUnacknowledged * this.#rate, maxReplay * this.#rate);
  }

  /** Whether the server has to acknowledge audio before more is sent. */
  get full() {
    return this.#journal.full;
  }

  /** Seconds of audio that the server has not confirmed. */
  get unacknowledged() {
    return this.#journal.unacknowledged / this.#rate;
  }

  /** Whether a server that lives would have something to say. */
  get expecting() {
    return this.#ended || this.unacknowledged > QUIET;
  }

  /** Audio that is to be sent: bytes in the encoding that was declared. */
  send(audio) {
    for (let at = 0; at < audio.length; at += FRAME_BYTES) {
      this.#journal.write(audio.subarray(at, at + FRAME_BYTES));
    }
  }

  /** A command that is to be sent: {type: "flush" | "ping" | "end", id}. */
  say(command) {
    this.#ended ||= command.type === "end";
    this.#journal.say(command);
  }

  /** The frame that is to be sent next; null if that was all. */
  take() {
    const item = this.#journal.take();
    return item === null || item instanceof Uint8Array ? item : JSON.stringify(item);
  }

  /** The first frame of a connection: it starts the session, or resumes it. */
  opening() {
    const resume = this.ready && { resume: this.ready.resume_token, last_seq: this.lastSeq };
    // Words are always asked for: they tell what was said before from what is new.
    return JSON.stringify({ type: "start", ...this.#start, words: true, ...resume });
  }

  /** Read the server's answer to the opening; throws what the server has against it. */
  opened(frame) {
    const message = parse(frame);
    if (message.type === "error") throw fault(message);
    if (message.type !== "ready") {
      throw new StreamWhisperError(
        "no_ready",
        `the server answered the start with ${message.type}; expected ready. Is it a ` +
          "streamwhisper server?",
      );
    }
    this.ready = message;
    this.#journal.resume(message.bytes, message.messages);
    this.lastSeq = Math.max(this.lastSeq, message.seq);
    return message;
  }

  /** The server has lost the session: the next opening starts another one. */
  startAgain() {
    this.#events.beginAgain(this.#journal.restart() / this.#rate);
    this.ready = null;
    this.#start = { ...this.#start, continued: true };
    this.lastSeq = 0;
    this.dismissed = false;
  }

  /** What is to be told because of a frame from the server; throws a fatal error. */
  hear(frame) {
    const message = parse(frame);
    if (message.type === "error" && message.fatal) throw fault(message);
    if (message.seq <= this.lastSeq) return [];
    this.lastSeq = message.seq;
    return this.#told(message);
  }

  #told(message) {
    const journal = this.#journal;
    const { begin } = journal;
    switch (message.type) {
      case "ack": {
        const bytes = message.bytes || message.samples * this.#frame;
        journal.acknowledge(bytes);
        return [{ ...message, samples: message.samples + begin / this.#frame, bytes: bytes + begin }];
      }
      case "status":
        this.#events.rest(message.audio_seconds, message.lag_ms / 1000);
        this.#settle(this.#events.settled);
        return [{ ...message, audio_seconds: message.audio_seconds + begin / this.#rate }];
      case "pong":
        journal.answer("ping", message.id);
        return [message];
      case "flushed":
        journal.answer("flush", message.id);
        break;
      case "error":
        if (message.code === "too_many_flushes") journal.refuseFlush();
        return [message];
    }
    const told = this.#events.hear(message);
    this.#settle(this.#events.settled);
    return message.type === "done" ? this.#finished(told) : told;
  }

  /** A server that stops says done to those who have more to say as well. */
  #finished(told) {
    const { audio_seconds: heard } = told.at(-1);
    if (this.#ended && heard >= this.#journal.end / this.#rate - ROUNDING) return told;
    this.dismissed = true;
    return told.slice(0, -1);
  }

  #settle(seconds) {
    this.#journal.settle(Math.floor(seconds * this.#start.sample_rate) * this.#frame);
  }
}

function fault({ code, message, retry_after: seconds }) {
  return new StreamWhisperError(code, message, seconds ?? null);
}

function parse(frame) {
  try {
    const message = JSON.parse(frame);
    if (typeof message.type === "string" && Number.isInteger(message.seq)) return message;
  } catch {
    // It is said below.
  }
  throw new StreamWhisperError(
    "bad_json",
    `the server said ${String(frame).slice(0, 60)}; expected a JSON object with a type and a ` +
      "seq. Is it a streamwhisper server?",
  );
}
