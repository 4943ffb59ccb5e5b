/** One WebSocket connection to a server. */
import { StreamWhisperError } from "./fault.js";

const MAX_BUFFERED = 256 * 1024; // bytes that may wait in the browser's own buffer
const LOST = 4000; // close code of an abandoned connection: the server keeps the session
const FINE = 1000;
const BEARER = "bearer.";
const TEMPORARY = new Set([429, 503]); // HTTP statuses after which to try again
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/; // characters of a WebSocket subprotocol

/** Return the URL of a WebSocket; `url` may be relative to the page, or start with http. */
export function socketUrl(url) {
  const address = new URL(url, globalThis.document?.baseURI);
  address.protocol = address.protocol.replace(/^http/, "ws");
  address.hash = "";
  return address.href;
}

/** Return the subprotocols that carry a token; none if it is empty. Throws "bad_token". */
export function subprotocols(token) {
  if (!token) return [];
  if (!TOKEN.test(token)) {
    throw new StreamWhisperError(
      "bad_token",
      "The token has characters that a browser cannot send in a WebSocket handshake; expected " +
        "only letters, digits and !#$%&'*+-.^_`|~. Configure another token on the server.",
    );
  }
  return ["streamwhisper", BEARER + token];
}

export class Line {
  #socket;
  #inbox = [];
  #wake = () => {};
  /** Time of the last received message, in milliseconds of performance.now(). */
  receivedAt = performance.now();

  /**
   * Open a connection.
   * Throws "connection_lost" if there is no answer, or the error of a server that rejects it.
   * @param {string} url URL of the WebSocket.
   * @param {string | null} token
   * @param {number} timeout seconds.
   */
  static async open(url, token, timeout) {
    const protocols = subprotocols(token);
    const line = new Line();
    const socket = new WebSocket(url, protocols);
    line.#socket = socket;
    const clock = setTimeout(() => socket.close(), timeout * 1000);
    socket.onmessage = ({ data }) => {
      line.receivedAt = performance.now();
      line.#inbox.push(data);
      line.#wake();
    };
    const opened = await new Promise((resolve) => {
      socket.onopen = () => resolve(true);
      // A socket that the page's own policy forbids is never closed.
      socket.onclose = socket.onerror = () => resolve(false);
    });
    clearTimeout(clock);
    if (!opened) throw await rejection(url, token);
    socket.onclose = () => line.#wake();
    return line;
  }

  /** Return the next text frame; throws "connection_lost" when the connection is closed. */
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

  /** Whether the browser's buffer has room for more. */
  get hasRoom() {
    return this.open && this.#socket.bufferedAmount < MAX_BUFFERED;
  }

  send(frame) {
    this.#socket.send(frame);
  }

  /** Abandon a connection that seems dead; the server keeps the session. */
  drop() {
    this.#shut(LOST, "no message received");
  }

  /** Close the connection for good. */
  leave() {
    this.#shut(FINE, "");
  }

  #shut(code, reason) {
    // A dead connection never answers the close, so do not wait for it.
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(code, reason);
    this.#wake();
  }
}

function lost(url) {
  return new StreamWhisperError("connection_lost", `The connection to ${url} was lost.`);
}

/** Return why a WebSocket was rejected: browsers do not report it, so ask the server over HTTP. */
async function rejection(url, token) {
  try {
    const response = await fetch(url.replace(/^ws/, "http"), {
      headers: token ? { Authorization: `Bearer ${token}` } : {},
      signal: AbortSignal.timeout(5000),
    });
    const text = await response.text();
    if (response.headers.get("Content-Type")?.startsWith("application/json")) {
      const { code, message, retry_after: seconds } = JSON.parse(text);
      const fault = new StreamWhisperError(code, message, seconds ?? null);
      fault.temporary = TEMPORARY.has(response.status);
      return fault;
    }
    if (response.status === 404) return new StreamWhisperError("not_found", text.trim());
  } catch {
    // No answer.
  }
  return new StreamWhisperError(
    "connection_lost",
    `${url} does not answer. Is the server running, and can this machine reach it?`,
  );
}
