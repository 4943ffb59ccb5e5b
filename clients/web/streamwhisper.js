/**
 * Browser client of a streamwhisper server: send audio, receive text.
 *
 *     const stream = new StreamWhisper({ language: "en", sampleRate: 16000 });
 *     stream.addEventListener("committed", ({ detail }) => output.append(detail.text));
 *     stream.connect();
 *     stream.send(samples); // an Int16Array; call it for every chunk
 *     await stream.end();
 *
 * or, instead of listeners, a loop, which connects:
 *
 *     for await (const event of stream) if (event.type === "committed") output.append(event.text);
 *
 * Events have the names of the server's messages (docs/PROTOCOL.md) and carry the message as
 * `detail`: ready, speech_started, speech_ended, partial, committed, ack, status, flushed, pong,
 * done, and error. `state` reports the connection.
 *
 * The client reconnects automatically and resumes the session; every event is delivered exactly
 * once. If the server was lost, the audio since the last final commit is sent to another one, and
 * the transcript continues.
 */
import { Conversation } from "./conversation.js";
import { EventQueue } from "./events.js";
import { StreamWhisperError } from "./fault.js";
import { Line, socketClass, socketUrl, subprotocols } from "./line.js";

export { StreamWhisperError };

const NOT_RESUMABLE = new Set(["resume_unknown", "resume_failed"]); // error codes: start again
const TEMPORARY = new Set(["connection_lost", "shutting_down", "too_many_sessions", "overloaded"]);
const OVER = new Set(["done", "failed", "closed"]);
const SILENCE = 20; // seconds without a message after which the connection is abandoned
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
  #Socket;
  #queues = new Set(); // of loops over the events
  #options;
  #conversation;
  #line = null; // the connection while a session is open on it
  #state = "idle";
  #failure = null;
  #running = null; // promise of `#converse`
  #opened = settleable();
  #begun = false; // whether a session was ever open
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
    WebSocket = null,
  } = {}) {
    super();
    this.#url = socketUrl(url);
    this.#Socket = socketClass(WebSocket);
    this.#token = token;
    if (typeof token !== "function") subprotocols(token); // throws, so that the caller sees it
    this.#options = { ...RECONNECT, ...reconnect };
    const start = { language, languages, task, model, encoding, channels, partials, vocabulary };
    this.#conversation = new Conversation(
      { ...start, sample_rate: sampleRate, ...(publish && { publish }) },
      this.#options,
    );
    // Callers that do not wait for `connect` learn of failures by events.
    this.#opened.promise.catch(() => {});
  }

  /** "idle", "connecting", "open", "reconnecting", "done", "failed" or "closed". */
  get state() {
    return this.#state;
  }

  /** The ready message of the opened or resumed session; null before the first one. */
  get ready() {
    return this.#conversation.ready;
  }

  /** Seconds of audio that the server has not acknowledged; they are kept. */
  get unacknowledged() {
    return this.#conversation.unacknowledged;
  }

  /**
   * Iterate over the events from now on, until the session has ended; connects if necessary. Throws
   * the error that ends the session, or "unread_events" if thousands wait for the loop. Leaving the
   * loop does not end the session.
   */
  [Symbol.asyncIterator]() {
    const queue = new EventQueue(() => this.#queues.delete(queue));
    if (this.#failure || OVER.has(this.#state)) queue.close(this.#failure);
    else this.#queues.add(queue);
    this.connect().catch(() => {}); // the queue reports it
    return queue;
  }

  /** Connect; resolves with the ready message. Audio may be sent before that. */
  connect() {
    if (this.#running === null) {
      this.#become("connecting");
      this.#lostAt = performance.now();
      globalThis.addEventListener?.("online", this.#retryNow);
      this.#running = this.#converse().then(
        () => this.#over(this.#closed ? "closed" : "done"),
        (error) => this.#fail(error),
      );
    }
    return this.#opened.promise;
  }

  /**
   * Send audio; it is kept until the server acknowledges it. For a file, await `room` after each
   * call.
   * @param {ArrayBuffer | ArrayBufferView} audio in the declared encoding.
   */
  send(audio) {
    this.#check();
    const { maxReplay } = this.#options;
    if (this.unacknowledged > maxReplay) {
      this.#giveUp(
        new StreamWhisperError(
          "too_far_behind",
          `The server has not acknowledged ${this.unacknowledged.toFixed()} s of audio; at most ` +
            `${maxReplay} s are kept (reconnect.maxReplay). Use a faster server or a smaller model.`,
        ),
      );
      this.#check();
    }
    this.#conversation.send(bytesOf(audio));
    this.#pump();
    // Browsers throttle timers in hidden pages, but not a microphone.
    if (performance.now() >= this.#retry.at) this.#retry.now();
  }

  /** Resolve when the server has acknowledged enough audio to send more. */
  async room() {
    while (this.#conversation.full) {
      this.#check();
      await once(this, "ack", "state");
    }
  }

  /** Commit all text so far; resolves when it is committed. */
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

  /** End the audio; resolves with the done message after the rest of the text. */
  async end() {
    this.#check();
    this.#conversation.say({ type: "end" });
    this.#pump();
    const done = once(this, "done");
    const event = await Promise.race([done, this.#running ?? done]);
    if (this.#failure) throw this.#failure;
    return event?.detail ?? null;
  }

  /** Close at once; text that is not committed is lost. */
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
        "The session has ended. Open another one to send more audio.",
      );
    }
  }

  /** Receive messages, on this connection and the ones after it. */
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
        if (NOT_RESUMABLE.has(error.code)) this.#conversation.startAgain();
        else if (!TEMPORARY.has(error.code) && !error.temporary) throw error;
        cause = error;
      }
      this.#lostAt ??= performance.now();
      if (!this.#closed) this.#become(this.#begun ? "reconnecting" : "connecting", cause);
    }
  }

  /** Open or resume the session; return whether it is done. Throws the error that ends it. */
  async #session() {
    const conversation = this.#conversation;
    const line = await Line.open(this.#url, await this.#currentToken(), OPEN_TIMEOUT, this.#Socket);
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
      this.#dispatch(ready);
      this.#pump();
      return await this.#listen(line);
    } finally {
      clearTimeout(timeout);
      clearInterval(clock);
      this.#line = null;
      if (line.open) line.drop();
    }
  }

  /** Return the token of the next connection. Throws "no_token", after which it is tried again. */
  async #currentToken() {
    if (typeof this.#token !== "function") return this.#token;
    try {
      return await this.#token();
    } catch (cause) {
      const fault = new StreamWhisperError("no_token", `No access token: ${cause.message}`);
      fault.temporary = true; // the page's backend is as far away as the server
      throw fault;
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
        // The server has ended the session; another one may accept the rest of the audio.
        if (TEMPORARY.has(error.code)) conversation.startAgain();
        throw error;
      }
      if (conversation.lastSeq > before) {
        this.#outage = 0;
        this.#attempts = 0;
      }
      for (const event of events) this.#dispatch(event);
      if (events.at(-1)?.type === "done") {
        line.leave();
        return true;
      }
      if (conversation.dismissed) {
        conversation.startAgain();
        throw new StreamWhisperError("shutting_down", "The server is shutting down.");
      }
      this.#pump();
    }
  }

  /** Send frames while the browser's buffer has room; the rest follows later. */
  #pump() {
    while (this.#line?.hasRoom) {
      const frame = this.#conversation.take();
      if (frame === null) return;
      this.#line.send(frame);
    }
  }

  #tick(line) {
    this.#pump();
    const silent = performance.now() - line.receivedAt > SILENCE * 1000;
    if (silent && this.#conversation.expecting) line.drop();
  }

  /** Return the milliseconds before the next attempt; the first one has no delay. */
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

  #retryNow = () => this.#retry.now();

  #giveUp(error) {
    this.#fail(error);
    this.close();
  }

  #fail(error) {
    if (this.#failure || this.#state === "closed") return;
    this.#failure = error;
    this.#opened.reject(error);
    const code = error instanceof StreamWhisperError ? error.code : "internal";
    this.#dispatch({ type: "error", code, message: error.message, fatal: true });
    this.#over("failed");
  }

  #over(state) {
    globalThis.removeEventListener?.("online", this.#retryNow);
    if (this.#failure && state !== "failed") return;
    if (state === "closed") {
      this.#opened.reject(new StreamWhisperError("closed", "The stream was closed."));
    }
    this.#become(state);
  }

  #become(state, cause = null) {
    this.#state = state;
    this.#dispatch({ type: "state", state, cause: cause?.message ?? null });
  }

  #dispatch(message) {
    for (const queue of this.#queues) {
      if (message.type === "error" && message.fatal) queue.close(this.#failure);
      else queue.put(message);
      if (message.type === "state" && OVER.has(message.state)) queue.close();
    }
    this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
  }
}

function bytesOf(audio) {
  // A copy, because it is kept and the caller may reuse its buffer.
  if (ArrayBuffer.isView(audio)) {
    return new Uint8Array(audio.buffer, audio.byteOffset, audio.byteLength).slice();
  }
  return new Uint8Array(audio.slice(0));
}

/** Return a promise together with its resolve and reject functions. */
function settleable() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

/** Return a promise of the next event of one of these types. */
function once(target, ...types) {
  return new Promise((resolve) => {
    const listener = (event) => {
      for (const type of types) target.removeEventListener(type, listener);
      resolve(event);
    };
    for (const type of types) target.addEventListener(type, listener);
  });
}
