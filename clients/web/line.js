/** One WebSocket connection to a server. */
import { StreamWhisperError } from "./fault.js";

const ROOM = 256 * 1024; // bytes that may wait in the browser's own buffer
const LOST = 4000; // the close code of a line that is given up: the server keeps the session
const FINE = 1000;
const BEARER = "bearer.";
const PASSING = new Set([429, 503]); // HTTP statuses of a server that may serve later
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/; // what a WebSocket subprotocol may consist of

/** The address of a WebSocket, from one that may be relative to the page, or be http's. */
export function socketUrl(url) {
  const address = new URL(url, globalThis.document?.baseURI);
  address.protocol = address.protocol.replace(/^http/, "ws");
  address.hash = "";
  return address.href;
}

/** The subprotocols that carry a token; null: there is none. Throws "bad_token". */
export function subprotocols(token) {
  if (!token) return [];
  if (!TOKEN.test(token)) {
    throw new StreamWhisperError(
      "bad_token",
      "the token has characters that a browser cannot send in a WebSocket's handshake; expected " +
        "letters, digits and !#$%&'*+-.^_`|~ alone. Have the server given another one.",
    );
  }
  return ["streamwhisper", BEARER + token];
}

export class Line {
  #socket;
  #inbox = [];
  #wake = () => {};
  /** When something was heard last, in milliseconds as performance.now() counts. */
  heardAt = performance.now();

  /**
   * Open a connection.
   * Throws "connection_lost": nobody answers; or what the server said against it.
   * @param {string} url of a WebSocket.
   * @param {string | null} token
   * @param {number} timeout in seconds.
   */
  static async open(url, token, timeout) {
    const protocols = subprotocols(token);
    const line = new Line();
    const socket = new WebSocket(url, protocols);
    line.#socket = socket;
    const clock = setTimeout(() => socket.close(), timeout * 1000);
    socket.onmessage = ({ data }) => {
      line.heardAt = performance.now();
      line.#inbox.push(data);
      line.#wake();
    };
    const opened = await new Promise((resolve) => {
      socket.onopen = () => resolve(true);
      // One that the page's own policy forbids is never closed.
      socket.onclose = socket.onerror = () => resolve(false);
    });
    clearTimeout(clock);
    if (!opened) throw await refusal(url, token);
    socket.onclose = () => line.#wake();
    return line;
  }

  /** The next text frame; throws "connection_lost" when there is none left. */
  async receive() {
    while (this.#inbox.length === 0) {
      if (!this.open) throw lost(this.#socket.url);
      await new Promise((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#inbox.shift();
  }

  get open() {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** Whether more can be sent without piling up. */
  get hasRoom() {
    return this.open && this.#socket.bufferedAmount < ROOM;
  }

  send(frame) {
    this.#socket.send(frame);
  }

  /** Give the line up, which seems to be dead; the server keeps the session. */
  drop() {
    this.#shut(LOST, "nothing was heard");
  }

  /** Leave for good. */
  leave() {
    this.#shut(FINE, "");
  }

  #shut(code, reason) {
    // A line that is dead never answers the close: it is not waited for.
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(code, reason);
    this.#wake();
  }
}

function lost(url) {
  return new StreamWhisperError("connection_lost", `the connection to ${url} was lost`);
}

/** Why a WebSocket was not opened: a browser does not tell, but the server says it over HTTP, too. */
async function refusal(url, token) {
  try {
    const response = await fetch(url.replace(/^ws/, "http"), {
      headers: token ? { Authorization: `Bearer ${token}` } : {},
      signal: AbortSignal.timeout(5000),
    });
    const text = await response.text();
    if (response.headers.get("Content-Type")?.startsWith("application/json")) {
      const { code, message, retry_after: seconds } = JSON.parse(text);
      const fault = new StreamWhisperError(code, message, seconds ?? null);
      fault.passing = PASSING.has(response.status);
      return fault;
    }
    if (response.status === 404) return new StreamWhisperError("not_found", text.trim());
  } catch {
    // It says nothing.
  }
  return new StreamWhisperError(
    "connection_lost",
    `${url} does not answer; is the server running, and can this machine reach it?`,
  );
}
