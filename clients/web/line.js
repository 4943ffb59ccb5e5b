/** One WebSocket connection to a server; also in Node, with a WebSocket class of a library. */
import { StreamWhisperError } from "./fault.js";

const MAX_BUFFERED = 256 * 1024; // bytes that may wait in the browser's own buffer
const LOST = 4000; // close code of an abandoned connection: the server keeps the session
const FINE = 1000;
const BEARER = "bearer.";
const TEMPORARY = new Set([429, 503]); // HTTP statuses after which to try again
const OPEN = 1; // readyState of an open WebSocket
const STREAM = "/v1/stream";
const HOST = /^(?:[\w.-]+|\[[\da-f:]+\]):\d+(?:[/?#]|$)/i; // "localhost:8765": no scheme, but a port
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/; // characters of a WebSocket subprotocol

/**
 * Return the URL of a WebSocket. Throws "bad_url".
 * @param {string} url relative to the page, or with a host: "http://127.0.0.1:8765",
 *   "wss://captions.example/v1/stream", "localhost:8765".
 * @param {string} path completes an address of a host alone.
 */
export function socketUrl(url, path = STREAM) {
  const named = HOST.test(url) ? `ws://${url}` : String(url);
  const address = parsed(named);
  const protocol = address?.protocol.replace(/^http/, "ws");
  if (protocol !== "ws:" && protocol !== "wss:") {
    throw new StreamWhisperError(
      "bad_url",
      `The address of the server is "${url}"; expected e.g. ws://127.0.0.1:8765/v1/stream.`,
    );
  }
  address.protocol = protocol;
  address.hash = "";
  if (named.includes("://") && address.pathname === "/") address.pathname = path;
  return address.href;
}

function parsed(url) {
  try {
    return new URL(url, globalThis.document?.baseURI);
  } catch {
    return null;
  }
}

/** Return the WebSocket class to use. Throws "no_websocket" if there is none. */
export function socketClass(given) {
  const found = given ?? globalThis.WebSocket;
  if (found) return found;
  throw new StreamWhisperError(
    "no_websocket",
    "This runtime has no WebSocket. Install the package ws and pass its class: " +
      'import WebSocket from "ws"; new StreamWhisper({ WebSocket, … }).',
  );
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
   * @param {typeof WebSocket} Socket
   */
  static async open(url, token, timeout, Socket = socketClass()) {
    const protocols = subprotocols(token);
    const line = new Line();
    const socket = new Socket(url, protocols);
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
    return this.#socket.readyState === OPEN;
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
  // A proxy may not let a page of another origin send its token.
  const attempts = token ? [{ Authorization: `Bearer ${token}` }, {}] : [{}];
  for (const headers of attempts) {
    try {
      return await reason(url, headers);
    } catch {
      // No answer, or none that this page may read.
    }
  }
  return new StreamWhisperError(
    "connection_lost",
    `${url} does not answer. Is the server running, and can this machine reach it?`,
  );
}

async function reason(url, headers) {
  const address = url.replace(/^ws/, "http");
  const response = await fetch(address, { headers, signal: AbortSignal.timeout(5000) });
  const text = await response.text();
  if (response.headers.get("Content-Type")?.startsWith("application/json")) {
    const { code, message, retry_after: seconds } = JSON.parse(text);
    const fault = new StreamWhisperError(code, message, seconds ?? null);
    fault.temporary = TEMPORARY.has(response.status);
    return fault;
  }
  if (response.status === 404) return new StreamWhisperError("not_found", text.trim());
  return new StreamWhisperError(
    "connection_lost",
    `${address} answers with HTTP status ${response.status}, but a WebSocket does not open. Does ` +
      "a proxy in between forward WebSockets?",
  );
}
