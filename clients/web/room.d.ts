/** Viewer of shared captions. */
import type { Committed, Done, PartialText, WebSocketClass } from "./streamwhisper.js";

export interface RoomOptions {
  /** Name of the room. */
  name: string;
  /** Address of the server, its stream, or the room. Default: the server of the page. */
  url?: string;
  /** Access token, for servers behind a proxy that wants one; rooms need none. */
  token?: string | null;
  /** WebSocket class, e.g. of the package `ws`. Default: the global one. */
  WebSocket?: WebSocketClass | null;
}

export interface RoomEvents {
  /** A session begins or ends, or the connection is new; its text follows from the beginning. */
  watching: { type: "watching"; room: string; session: string | null; omitted: number };
  /** Final text; the times of words are not published. */
  committed: Committed;
  partial: PartialText;
  done: Done;
  state: {
    type: "state";
    state: "open" | "reconnecting" | "failed";
    cause: string | null;
  };
}

export type RoomEvent = RoomEvents[keyof RoomEvents];

export class Room extends EventTarget implements AsyncIterable<RoomEvent> {
  constructor(options: RoomOptions);
  /** Watch until `close`; reconnects. Resolves when the connection has ended for good. */
  watch(): Promise<void>;
  close(): void;
  /** Iterate over the events from now on, until `close`; connects if necessary. */
  [Symbol.asyncIterator](): AsyncIterableIterator<RoomEvent>;
  addEventListener<K extends keyof RoomEvents>(
    type: K,
    listener: (event: CustomEvent<RoomEvents[K]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}
