/**
 * A client of a streamwhisper server, for browsers: sound goes in, text comes out.
 *
 *     const stream = new StreamWhisper({ language: "en", sampleRate: 16000 });
 *     stream.addEventListener("committed", ({ detail }) => output.append(detail.text));
 *     stream.connect();
 *     stream.send(samples); // an Int16Array; again and again
 *     await stream.end();
 *
 * Events bear the names of the server's messages (docs/PROTOCOL.md), the message being their
 * `detail`: ready, speech_started, speech_ended, partial, committed, ack, status, flushed, pong,
 * done, and error. `state` tells how the connection is.
 *
 * A connection that is lost is made again, and the session goes on: no event is missed or comes
 * twice. Where the server itself was lost, it hears the audio since its last final commit once
 * more; the transcript goes on all the same.
 */
import { Conversation } from "./conversation.js";
import { StreamWhisperError } from "./fault.js";
import { Line, socketUrl, subprotocols } from "./line.js";

export { StreamWhisperError };

const FORGOTTEN = new Set(["resume_unknown", "resume_failed"]); // of a server that cannot resume
const PASSING = new Set(["connection_lost", "shutting_down", "too_many_sessions", "overloaded"]);
const SILENCE = 20; // seconds without a word from the server after which the line is given up
const TICK = 1000; // milliseconds
const OPEN_TIMEOUT = 10; // seconds

const RECONNECT = {
  patience: 300,
  firstDelay: 0.1,
  longestDelay: 5,
  jitter: 0.5,
  maxUnacknowledged: 30,
  maxReplay: 600,
};

export class StreamWhisper extends EventTarget {
  #url;
  #token;
  #options;
  #conversation;
  #line = null; // while a session is open on it
  #state = "idle";
  #failure = null;
  #running = null; // the promise of `#converse`
  #opened = settleable();
  #begun = false; // whether a session was open once
  #closed = false;
  #attempts = 0; // to connect, since the last new message
  #outage = 0; // milliseconds without a connection since the last new message
  #lostAt = null; // start of the present outage; null while connected
  #retry = { at: Infinity, now() {} };
  #flushes = 0;

  /** See StreamWhisperOptions in streamwhisper.d.ts. */
  constructor({
    url = "v1/stream",
    token = null,
    reconnect = {},
    language = null,
    languages = [],
    task = "transcribe",
    model = null,
    encoding = "pcm_s16le",
    sampleRate = 16000,
    channels = 1,
    partials = true,
    vocabulary = [],
    publish = null,
  } = {}) {
    super();
    this.#url = socketUrl(url);
    this.#token = token;
    subprotocols(token); // throws here, where the caller sees it
    this.#options = { ...RECONNECT, ...reconnect };
    const start = { language, languages, task, model, encoding, channels, partials, vocabulary };
    this.#conversation = new Conversation(
      { ...start, sample_rate: sampleRate, ...(publish && { publish }) },
      this.#options,
    );
    // Who does not wait for the opening is told by the events.
    this.#opened.promise.catch(() => {});
  }

  /** "idle", "connecting", "open", "reconnecting", "done", "failed" or "closed". */
  get state() {
    return this.#state;
  }

  /** What the server said on opening the session, or on resuming it last; null before. */
  get ready() {
    return this.#conversation.ready;
  }

  /** Seconds of audio that the server has not confirmed; they are kept. */
  get unacknowledged() {
    return this.#conversation.unacknowledged;
  }

  /** Connect; fulfilled with the server's ready. Audio may be sent before that. */
  connect() {
    if (this.#running === null) {
      this.#become("connecting");
      this.#lostAt = performance.now();
      globalThis.addEventListener?.("online", this.#hurry);
      this.#running = this.#converse().then(
        () => this.#over(this.#closed ? "closed" : "done"),
        (error) => this.#fail(error),
      );
    }
    return this.#opened.promise;
  }

  /**
   * Send audio; it is kept until the server has it safely. With a file, wait for `room` after it.
   * @param {ArrayBuffer | ArrayBufferView} audio in the encoding that was declared.
   */
  send(audio) {
    this.#check();
    const { maxReplay } = this.#options;
    if (this.unacknowledged > maxReplay) {
      this.#giveUp(
        new StreamWhisperError(
          "too_far_behind",
          `the server has not taken ${this.unacknowledged.toFixed()} s of audio; ${maxReplay} s ` +
            "are kept (reconnect.maxReplay). Try a faster server or a smaller model.",
        ),
      );
      this.#check();
    }
    this.#conversation.send(bytesOf(audio));
    this.#pump();
    // Timers rest in a page that is not looked at; a microphone does not.
    if (performance.now() >= this.#retry.at) this.#retry.now();
  }

  /** Fulfilled when the server has confirmed so much audio that more may be sent. */
  async room() {
    while (this.#conversation.full) {
      this.#check();
      await once(this, "ack", "state");
    }
  }

  /** Have everything so far committed now; fulfilled when it is. */
  async flush() {
    this.#check();
    const id = `flush-${(this.#flushes += 1)}`;
    this.#conversation.say({ type: "flush", id });
    this.#pump();
    for (;;) {
      const event = await once(this, "flushed", "state");
      if (event.type === "flushed" && event.detail.id === id) return;
      this.#check();
    }
  }

  /** No more audio: the rest of the text comes, then done, with which this is fulfilled. */
  async end() {
    this.#check();
    this.#conversation.say({ type: "end" });
    this.#pump();
    const done = once(this, "done");
    const event = await Promise.race([done, this.#running ?? done]);
    if (this.#failure) throw this.#failure;
    return event?.detail ?? null;
  }

  /** Leave at once; what is not committed yet is lost. */
  close() {
    this.#closed = true;
    this.#line?.leave();
    this.#retry.now();
  }

  #check() {
    if (this.#failure) throw this.#failure;
    if (this.#state === "done" || this.#state === "closed") {
      throw new StreamWhisperError(
        "done",
        "the session is over; open another one for more audio",
      );
    }
  }

  /** Take in what servers say, on this connection and on those after it. */
  async #converse() {
    let cause = null;
    while (!this.#closed) {
      const delay = Math.max(this.#delay(), 1000 * (cause?.retryAfter ?? 0));
      const outage = this.#outage + performance.now() - this.#lostAt;
      if (cause && outage + delay > 1000 * this.#options.patience) throw cause;
      if (delay > 0) await this.#pause(delay);
      if (this.#closed) return;
      try {
        if (await this.#session()) return;
      } catch (error) {
        if (FORGOTTEN.has(error.code)) this.#conversation.startAgain();
        else if (!PASSING.has(error.code) && !error.passing) throw error;
        cause = error;
      }
      this.#lostAt ??= performance.now();
      if (!this.#closed) this.#become(this.#begun ? "reconnecting" : "connecting", cause);
    }
  }

  /** Open or resume the session, and listen; whether it is done. Throws what ended it. */
  async #session() {
    const conversation = this.#conversation;
    const line = await Line.open(this.#url, this.#token, OPEN_TIMEOUT);
    const clock = setInterval(() => this.#tick(line), TICK);
    const timeout = setTimeout(() => line.drop(), OPEN_TIMEOUT * 1000);
    try {
      if (this.#closed) return true;
      line.send(conversation.opening());
      const ready = conversation.opened(await line.receive());
      clearTimeout(timeout);
      this.#line = line;
      this.#outage += performance.now() - this.#lostAt;
      this.#lostAt = null;
      this.#begun = true;
      this.#opened.resolve(ready);
      this.#become("open");
      this.#tell(ready);
      this.#pump();
      return await this.#listen(line);
    } finally {
      clearTimeout(timeout);
      clearInterval(clock);
      this.#line = null;
      if (line.open) line.drop();
    }
  }

  async #listen(line) {
    const conversation = this.#conversation;
    for (;;) {
      const frame = await line.receive();
      const before = conversation.lastSeq;
      let events;
      try {
        events = conversation.hear(frame);
      } catch (error) {
        // It has let go of the session, and another server may take what comes after.
        if (PASSING.has(error.code)) conversation.startAgain();
        throw error;
      }
      if (conversation.lastSeq > before) {
        this.#outage = 0;
        this.#attempts = 0;
      }
      for (const event of events) this.#tell(event);
      if (events.at(-1)?.type === "done") {
        line.leave();
        return true;
      }
      if (conversation.dismissed) {
        conversation.startAgain();
        throw new StreamWhisperError("shutting_down", "the server shuts down");
      }
      this.#pump();
    }
  }

  /** Send what there is, as far as there is room; the rest follows at the next occasion. */
  #pump() {
    while (this.#line?.hasRoom) {
      const frame = this.#conversation.take();
      if (frame === null) return;
      this.#line.send(frame);
    }
  }

  #tick(line) {
    this.#pump();
    const silent = performance.now() - line.heardAt > SILENCE * 1000;
    if (silent && this.#conversation.expecting) line.drop();
  }

  /** Milliseconds before the next attempt; the first one is made at once. */
  #delay() {
    const { firstDelay, longestDelay, jitter } = this.#options;
    const attempt = this.#attempts++;
    if (attempt === 0) return 0;
    const whole = Math.min(longestDelay, firstDelay * 2 ** (attempt - 1));
    return 1000 * whole * (1 - jitter * Math.random());
  }

  #pause(delay) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delay);
      this.#retry = {
        at: performance.now() + delay,
        now() {
          clearTimeout(timer);
          resolve();
        },
      };
    }).finally(() => {
      this.#retry = { at: Infinity, now() {} };
    });
  }

  #hurry = () => this.#retry.now();

  #giveUp(error) {
    this.#fail(error);
    this.close();
  }

  #fail(error) {
    if (this.#failure || this.#state === "closed") return;
    this.#failure = error;
    this.#opened.reject(error);
    const code = error instanceof StreamWhisperError ? error.code : "internal";
    this.#tell({ type: "error", code, message: error.message, fatal: true });
    this.#over("failed");
  }

  #over(state) {
    globalThis.removeEventListener?.("online", this.#hurry);
    if (this.#failure && state !== "failed") return;
    if (state === "closed") {
      this.#opened.reject(new StreamWhisperError("closed", "the stream was closed"));
    }
    this.#become(state);
  }

  #become(state, cause = null) {
    this.#state = state;
    this.#tell({ type: "state", state, cause: cause?.message ?? null });
  }

  #tell(message) {
    this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
  }
}

function bytesOf(audio) {
  // A copy, for it is kept, and the caller may write into it again.
  if (ArrayBuffer.isView(audio)) {
    return new Uint8Array(audio.buffer, audio.byteOffset, audio.byteLength).slice();
  }
  return new Uint8Array(audio.slice(0));
}

/** A promise with what settles it. */
function settleable() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

/** The next event of one of these types. */
function once(target, ...types) {
  return new Promise((resolve) => {
    const hear = (event) => {
      for (const type of types) target.removeEventListener(type, hear);
      resolve(event);
    };
    for (const type of types) target.addEventListener(type, hear);
  });
}
