/** Client of a streamwhisper server, for browsers and Node. */

export interface Reconnect {
  /** Seconds without a message from any server before the client gives up. Default: 300. */
  patience?: number;
  /** Seconds before the second attempt; the first one has no delay. Default: 0.1. */
  firstDelay?: number;
  /** Maximum seconds between two attempts; delays double up to it. Default: 5. */
  longestDelay?: number;
  /** Random share of each delay, 0 to 1. Default: 0.5. */
  jitter?: number;
  /** Seconds of unacknowledged audio from which `room` waits. Default: 30. */
  maxUnacknowledged?: number;
  /** Seconds of audio kept in case the server loses the session. Default: 600. */
  maxReplay?: number;
}

export interface StreamWhisperOptions {
  /**
   * Address of the server or its stream, e.g. "http://127.0.0.1:8765", "localhost:8765",
   * "wss://captions.example/v1/stream", or relative to the page. Default: "v1/stream".
   */
  url?: string;
  /**
   * Access token, sent as the WebSocket subprotocol `bearer.<token>`; or a function that returns
   * one, called before each connection, e.g. to request a short-lived token from your backend.
   */
  token?: string | null | (() => string | null | Promise<string | null>);
  /** Spoken language, e.g. "en"; null or "auto": a multilingual model detects it. */
  language?: string | null;
  /** Languages to which detection is limited; empty: all. */
  languages?: string[];
  /** "translate" returns an English translation. Default: "transcribe". */
  task?: "transcribe" | "translate";
  /** Name of the model; null: the one that is served. */
  model?: string | null;
  /** Encoding of the audio. Default: "pcm_s16le". */
  encoding?: "pcm_s16le" | "pcm_f32le" | "mulaw" | "alaw";
  /** Sample rate in Hz. Default: 16000. */
  sampleRate?: number;
  /** Number of interleaved channels. Default: 1. */
  channels?: number;
  /** Whether to send partial text. Default: true. */
  partials?: boolean;
  /** Names and technical terms to prefer when the audio is ambiguous. */
  vocabulary?: string[];
  /** Name of the room in which others can watch; null: none. */
  publish?: string | null;
  reconnect?: Reconnect;
  /** WebSocket class, e.g. of the package `ws`; Node before 22 has none. Default: the global one. */
  WebSocket?: WebSocketClass | null;
}

/** A class with the interface of the browsers' WebSocket. */
export type WebSocketClass = new (url: string, protocols?: string[]) => object;

export interface Word {
  word: string;
  start: number;
  end: number;
  confidence: number;
}

export interface Ready {
  type: "ready";
  session: string;
  resume_token: string;
  model: string;
  sample_rate: number;
  protocol: number;
  samples: number;
  bytes: number;
  messages: number;
}

/** Current hypothesis for the text after the committed text; each replaces the one before. */
export interface PartialText {
  type: "partial";
  text: string;
  start: number;
  end: number;
  words: Word[];
}

/** Final text. The concatenation of all `text`, unchanged, is the transcript. */
export interface Committed {
  type: "committed";
  text: string;
  start: number;
  end: number;
  words: Word[];
  /** Code of the spoken language, e.g. "en". */
  language: string | null;
  utterance: number;
  final: boolean;
  heard: number | null;
}

export interface Status {
  type: "status";
  /** Milliseconds of audio that no text covers yet. */
  lag_ms: number;
  /** Seconds of waiting for the recognizer per second of audio. */
  real_time_factor: number;
  /** Seconds of audio received. */
  audio_seconds: number;
  /** Number of viewers of the room; null: the session publishes in no room. */
  viewers: number | null;
}

export interface Done {
  type: "done";
  audio_seconds: number;
  speech_seconds: number;
}

export type State =
  | "idle"
  | "connecting"
  | "open"
  | "reconnecting"
  | "done"
  | "failed"
  | "closed";

export interface StreamWhisperEvents {
  ready: Ready;
  speech_started: { type: "speech_started"; at: number };
  speech_ended: { type: "speech_ended"; at: number; decided: number };
  partial: PartialText;
  committed: Committed;
  ack: { type: "ack"; samples: number; bytes: number };
  status: Status;
  flushed: { type: "flushed"; id: string | null };
  pong: { type: "pong"; id: string | null };
  done: Done;
  /** A fatal error ends the stream. */
  error: { type: "error"; code: string; message: string; fatal: boolean };
  /** State of the connection; `cause` explains why it was lost. */
  state: { type: "state"; state: State; cause: string | null };
}

/** Any event; `type` tells them apart. */
export type StreamWhisperEvent = StreamWhisperEvents[keyof StreamWhisperEvents];

export class StreamWhisperError extends Error {
  readonly code: string;
  /** Seconds after which the client may try again. */
  readonly retryAfter: number | null;
  constructor(code: string, message: string, retryAfter?: number | null);
}

export class StreamWhisper extends EventTarget implements AsyncIterable<StreamWhisperEvent> {
  constructor(options?: StreamWhisperOptions);
  /**
   * Iterate over the events from now on, until the session has ended; connects if necessary. Throws
   * the error that ends the session. Leaving the loop does not end the session.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<StreamWhisperEvent>;
  readonly state: State;
  /** The ready message of the opened or resumed session; null before the first one. */
  readonly ready: Ready | null;
  /** Seconds of audio that the server has not acknowledged; they are kept. */
  readonly unacknowledged: number;
  /** Connect; resolves with the ready message. Audio may be sent before that. */
  connect(): Promise<Ready>;
  /** Send audio in the declared encoding; it is kept until the server acknowledges it. */
  send(audio: ArrayBuffer | ArrayBufferView): void;
  /** Resolves when the server has acknowledged enough audio to send more. */
  room(): Promise<void>;
  /** Commit all text so far; resolves when it is committed. */
  flush(): Promise<void>;
  /** End the audio; resolves when all text is committed, or with null if `close` came first. */
  end(): Promise<Done | null>;
  /** Close at once; text that is not committed is lost. */
  close(): void;
  addEventListener<K extends keyof StreamWhisperEvents>(
    type: K,
    listener: (event: CustomEvent<StreamWhisperEvents[K]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof StreamWhisperEvents>(
    type: K,
    listener: (event: CustomEvent<StreamWhisperEvents[K]>) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}
