/** A client of a streamwhisper server, for browsers. */

export interface Reconnect {
  /** Seconds without a word from any server after which it gives up; 300. */
  patience?: number;
  /** Seconds before the second attempt; the first one is made at once; 0.1. */
  firstDelay?: number;
  /** Seconds between two attempts at the most; they double up to there; 5. */
  longestDelay?: number;
  /** Share of a delay that is left to chance, 0 to 1; 0.5. */
  jitter?: number;
  /** Seconds of audio that the server need not have confirmed before `room` waits; 30. */
  maxUnacknowledged?: number;
  /** Seconds of audio that are kept for a server that has forgotten the session; 600. */
  maxReplay?: number;
}

export interface StreamWhisperOptions {
  /** Of the stream: ws, wss, http, https, or relative to the page; "v1/stream". */
  url?: string;
  /** Sent as the WebSocket subprotocol `bearer.<token>`. */
  token?: string | null;
  /** Such as "en"; with null or "auto" a multilingual model finds it. */
  language?: string | null;
  /** Those that may be spoken, where it is found; none: any. */
  languages?: string[];
  /** "translate" gives English. */
  task?: "transcribe" | "translate";
  /** Null takes what is served. */
  model?: string | null;
  /** Of the audio; "pcm_s16le". */
  encoding?: "pcm_s16le" | "pcm_f32le" | "mulaw" | "alaw";
  /** In Hz; 16000. */
  sampleRate?: number;
  /** Interleaved; 1. */
  channels?: number;
  /** Whether partial texts are wanted; true. */
  partials?: boolean;
  /** Names and terms to expect. */
  vocabulary?: string[];
  /** The name under which others may watch. */
  publish?: string | null;
  reconnect?: Reconnect;
}

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

/** The present guess for what follows the committed text; each replaces the one before it. */
export interface PartialText {
  type: "partial";
  text: string;
  start: number;
  end: number;
  words: Word[];
}

/** Text that never changes. All `text` joined, as it stands, is the transcript. */
export interface Committed {
  type: "committed";
  text: string;
  start: number;
  end: number;
  words: Word[];
  /** What is spoken: its code, such as "en". */
  language: string | null;
  utterance: number;
  final: boolean;
  heard: number | null;
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
  status: { type: "status"; lag_ms: number; real_time_factor: number; audio_seconds: number };
  flushed: { type: "flushed"; id: string | null };
  pong: { type: "pong"; id: string | null };
  done: Done;
  /** After a fatal one the stream is over. */
  error: { type: "error"; code: string; message: string; fatal: boolean };
  /** How the connection is; `cause` says why it was lost. */
  state: { type: "state"; state: State; cause: string | null };
}

export class StreamWhisperError extends Error {
  readonly code: string;
  /** Seconds after which trying again is worth while. */
  readonly retryAfter: number | null;
  constructor(code: string, message: string, retryAfter?: number | null);
}

export class StreamWhisper extends EventTarget {
  constructor(options?: StreamWhisperOptions);
  readonly state: State;
  /** What the server said on opening the session, or on resuming it last; null before. */
  readonly ready: Ready | null;
  /** Seconds of audio that the server has not confirmed; they are kept. */
  readonly unacknowledged: number;
  /** Connect; fulfilled with the server's ready. Audio may be sent before that. */
  connect(): Promise<Ready>;
  /** Send audio in the encoding that was declared; it is kept until the server has it safely. */
  send(audio: ArrayBuffer | ArrayBufferView): void;
  /** Fulfilled when the server has confirmed so much audio that more may be sent. */
  room(): Promise<void>;
  /** Have everything so far committed now; fulfilled when it is. */
  flush(): Promise<void>;
  /** No more audio: fulfilled when all is committed; with null if it was closed before that. */
  end(): Promise<Done | null>;
  /** Leave at once; what is not committed yet is lost. */
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
