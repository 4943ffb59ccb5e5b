/**
 * Custom element with captions: of the visitor's microphone, or of a shared room.
 *
 *     <script type="module" src="SERVER/element.js"></script>
 *     <stream-whisper language="en" lines="3"></stream-whisper>
 *     <stream-whisper room="stage" lines="2"></stream-whisper>
 *
 * Attributes: url, token, language, task, source, publish, room, lines. Parts for styles: text,
 * committed, partial, notice, button. Events: those of StreamWhisper and Room.
 */
import { Captioning } from "./captioning.js";
import { SERVER } from "./place.js";
import { Room } from "./room.js";
import { CaptionView } from "./view.js";

const EVENTS = ["committed", "partial", "state", "error", "done", "watching"];
const LINE = 1.45; // em
const STYLE = `
  :host { display: block; }
  :host([hidden]) { display: none; }
  [part="text"] { line-height: ${LINE}; overflow-wrap: anywhere; }
  [part="text"].few { max-height: calc(var(--lines) * ${LINE}em); overflow: hidden; }
  [part="partial"] { opacity: .65; }
  [part="notice"]:empty { display: none; }
  [part="button"] { font: inherit; }
`;

// Node has no elements; the module can be imported there all the same.
const Base = globalThis.HTMLElement ?? class {};

export class StreamWhisperElement extends Base {
  static observedAttributes = ["lines", "room", "url", "token"];
  /** Access token, or a function that returns one; it comes before the attribute. */
  token = null;
  #view;
  #notice;
  #button;
  #stop;
  #room = null;
  #running = null; // promise of a Captioning
  #state = "idle";

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet(); // also allowed by policies without inline styles
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    const text = part("div", "text");
    text.setAttribute("role", "log");
    this.#notice = part("p", "notice");
    this.#notice.setAttribute("role", "alert");
    this.#button = part("button", "button");
    this.#button.type = "button";
    const start = slot("start", "Start");
    this.#stop = slot("stop", "Stop");
    this.#button.append(start, this.#stop);
    this.#button.onclick = () => this.#toggle();
    root.append(text, this.#notice, this.#button);
    this.#view = new CaptionView(text);
    this.#show();
  }

  /** All final text. */
  get text() {
    return this.#view.text;
  }

  /** "idle", or the state of the connection. */
  get state() {
    return this.#state;
  }

  connectedCallback() {
    this.#show();
    if (this.hasAttribute("room")) this.#watch();
  }

  disconnectedCallback() {
    // A page may move an element: it is then connected again at once.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#leaveRoom();
      this.#running?.then((running) => running.close()).catch(() => {});
    });
  }

  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (name === "lines") this.#show();
    else if (this.isConnected) this.#moveTo(this.getAttribute("room"));
  }

  /** Ask for the microphone and listen. Resolves when it is open; failures are shown, too. */
  async start() {
    if (this.#running || this.hasAttribute("room")) return;
    this.#notice.textContent = "";
    this.#running = Captioning.begin(this.#view, {
      source: { kind: this.getAttribute("source") ?? "microphone" },
      ...this.#server(),
      language: this.getAttribute("language"),
      task: this.getAttribute("task") ?? "transcribe",
      publish: this.getAttribute("publish"),
    });
    this.#become("connecting");
    try {
      this.#forward((await this.#running).stream);
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  /** Stop to listen; resolves with the whole text. */
  async stop() {
    const running = await this.#running;
    if (!running) return this.text;
    this.#button.disabled = true;
    try {
      return await running.stop();
    } finally {
      this.#button.disabled = false;
    }
  }

  async #toggle() {
    // Failures are shown.
    if (this.#running) await this.stop().catch(() => {});
    else await this.start().catch(() => {});
  }

  #watch() {
    if (this.#room) return;
    this.#view.clear();
    try {
      this.#room = new Room({ name: this.getAttribute("room"), ...this.#server() });
    } catch (error) {
      this.#fail(error);
      return;
    }
    let restarted = false; // the next text starts a new transcript
    this.#room.addEventListener("watching", () => {
      restarted = true;
      this.#view.guess("");
    });
    for (const type of ["committed", "partial"]) {
      this.#room.addEventListener(type, () => {
        if (restarted) this.#view.clear();
        restarted = false;
      });
    }
    this.#view.follow(this.#room);
    this.#forward(this.#room);
    this.#room.watch();
  }

  #moveTo(room) {
    this.#leaveRoom();
    this.#show();
    if (room !== null) this.#watch();
  }

  #leaveRoom() {
    this.#room?.close();
    this.#room = null;
  }

  #server() {
    const url = this.getAttribute("url") ?? new URL("v1/stream", SERVER ?? document.baseURI).href;
    return { url, token: this.token ?? this.getAttribute("token") };
  }

  /** Dispatch the events of a stream or room, and show its state. */
  #forward(source) {
    for (const type of EVENTS) {
      source.addEventListener(type, ({ detail }) => {
        if (source === this.#room || !this.hasAttribute("room")) this.#receive(type, detail);
      });
    }
  }

  #receive(type, detail) {
    if (type === "error") this.#notice.textContent = detail.message;
    if (type === "state") {
      if (detail.state !== "failed") this.#notice.textContent = "";
      else if (detail.cause) this.#notice.textContent = detail.cause; // of a room
      this.#become(detail.state);
    }
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #fail(error) {
    this.#notice.textContent = error.message;
    this.#become("failed");
  }

  #become(state) {
    this.#state = state;
    if (["done", "failed", "closed"].includes(state)) this.#running = null;
    this.#show();
  }

  #show() {
    const lines = Number.parseInt(this.getAttribute("lines"), 10);
    const text = this.shadowRoot.querySelector("[part=text]");
    text.classList.toggle("few", lines > 0);
    text.style.setProperty("--lines", lines);
    text.tabIndex = lines > 0 ? -1 : 0; // a text that scrolls is reached by the keyboard
    this.#view.few = lines > 0;
    this.#button.hidden = this.hasAttribute("room");
    const running = this.#running !== null;
    this.#stop.hidden = !running;
    this.#button.firstChild.hidden = running;
  }
}

function part(tag, name) {
  const element = document.createElement(tag);
  element.setAttribute("part", name);
  return element;
}

function slot(name, text) {
  return Object.assign(document.createElement("slot"), { name, textContent: text });
}

if (globalThis.customElements && !customElements.get("stream-whisper")) {
  customElements.define("stream-whisper", StreamWhisperElement);
}
