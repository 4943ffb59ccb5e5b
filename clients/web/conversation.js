/**
 * The client's side of the native protocol, across all connections; without sockets.
 *
 * Pass audio to `send` and commands to `say`; `take` returns the frames to send. Pass received
 * frames to `hear`. After a lost connection, `opening` returns the first frame of the next one,
 * and `opened` reads its answer. See docs/PROTOCOL.md and streamwhisper/client/protocol.py.
 */
import { Continuity } from "./continuity.js";
import { StreamWhisperError } from "./fault.js";
import { Journal } from "./journal.js";

const SAMPLE_BYTES = { pcm_s16le: 2, pcm_f32le: 4, mulaw: 1, alaw: 1 };
const FRAME_BYTES = 64 * 1024; // of audio per frame; servers accept at most 1 MiB
const ROUNDING = 0.05; // seconds of tolerance, because the server resamples
const QUIET = 2; // seconds of audio after which a message is overdue; servers send one each second

export class Conversation {
  /** The last ready message; null: the session is not open yet. */
  ready = null;
  /** Number of the newest message from the server. */
  lastSeq = 0;
  /** Whether the server has committed everything and left, although more audio may follow. */
  dismissed = false;
  #start;
  #rate; // bytes per second
  #frame; // bytes of one sample of all channels
  #ended = false;
  #events = new Continuity();
  #journal;

  /**
   * @param {object} start the start message; needs encoding, sample_rate and channels.
   * @param {{maxUnacknowledged: number, maxReplay: number}} options in seconds of audio.
   */
  constructor(start, { maxUnacknowledged, maxReplay }) {
    const size = SAMPLE_BYTES[start.encoding];
    if (size === undefined) {
      throw new StreamWhisperError(
        "unknown_encoding",
        `Encoding is "${start.encoding}"; expected one of ${Object.keys(SAMPLE_BYTES).join(", ")}.`,
      );
    }
    this.#start = start;
    this.#frame = size * start.channels;
    this.#rate = this.#frame * start.sample_rate;
    this.#journal = new Journal(maxUnacknowledged * this.#rate, maxReplay * this.#rate);
  }

  /** Whether the server must acknowledge audio before more is sent. */
  get full() {
    return this.#journal.full;
  }

  /** Seconds of audio that the server has not acknowledged. */
  get unacknowledged() {
    return this.#journal.unacknowledged / this.#rate;
  }

  /** Whether a running server would send a message by now. */
  get expecting() {
    return this.#ended || this.unacknowledged > QUIET;
  }

  /** Queue audio: bytes in the declared encoding. */
  send(audio) {
    for (let at = 0; at < audio.length; at += FRAME_BYTES) {
      this.#journal.write(audio.subarray(at, at + FRAME_BYTES));
    }
  }

  /** Queue a command: {type: "flush" | "ping" | "end", id}. */
  say(command) {
    this.#ended ||= command.type === "end";
    this.#journal.say(command);
  }

  /** Return the next frame to send; null: there is none. */
  take() {
    const item = this.#journal.take();
    return item === null || item instanceof Uint8Array ? item : JSON.stringify(item);
  }

  /** Return the first frame of a connection: it starts or resumes the session. */
  opening() {
    const resume = this.ready && { resume: this.ready.resume_token, last_seq: this.lastSeq };
    // Words are always requested: they tell repeated text from new text.
    return JSON.stringify({ type: "start", ...this.#start, words: true, ...resume });
  }

  /** Read the server's answer to the opening; throws its error. */
  opened(frame) {
    const message = parse(frame);
    if (message.type === "error") throw fault(message);
    if (message.type !== "ready") {
      throw new StreamWhisperError(
        "no_ready",
        `The server answered the start with ${message.type}; expected ready. Is it a ` +
          "streamwhisper server?",
      );
    }
    this.ready = message;
    this.#journal.resume(message.bytes, message.messages);
    this.lastSeq = Math.max(this.lastSeq, message.seq);
    return message;
  }

  /** Start a new session with the next opening: the server has lost this one. */
  startAgain() {
    this.#events.beginAgain(this.#journal.restart() / this.#rate);
    this.ready = null;
    this.#start = { ...this.#start, continued: true };
    this.lastSeq = 0;
    this.dismissed = false;
  }

  /** Receive a frame; return the events for the application. Throws a fatal error. */
  hear(frame) {
    const message = parse(frame);
    if (message.type === "error" && message.fatal) throw fault(message);
    if (message.seq <= this.lastSeq) return [];
    this.lastSeq = message.seq;
    return this.#eventsOf(message);
  }

  #eventsOf(message) {
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
    const events = this.#events.hear(message);
    this.#settle(this.#events.settled);
    return message.type === "done" ? this.#finished(events) : events;
  }

  /** Handle done: a server that shuts down sends it even if more audio is to come. */
  #finished(events) {
    const { audio_seconds: received } = events.at(-1);
    if (this.#ended && received >= this.#journal.end / this.#rate - ROUNDING) return events;
    this.dismissed = true;
    return events.slice(0, -1);
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
    // Reported below.
  }
  throw new StreamWhisperError(
    "bad_json",
    `The server sent ${String(frame).slice(0, 60)}; expected a JSON object with a type and a ` +
      "seq. Is it a streamwhisper server?",
  );
}
