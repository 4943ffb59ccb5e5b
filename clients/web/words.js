/** What the page shows about a word: its time and confidence; a click plays it. */
import { $ } from "./page.js";
import { t } from "./texts.js";

const DOUBTFUL = 0.45; // confidence below which a word is underlined
const GAP = 6; // pixels between a word and its label

export class Words {
  #box = $("captions");
  #label = $("word");
  #replay;
  #word = null;
  #moving = false; // whether the arrow keys choose the word

  /** @param {import("./replay.js").Replay} replay */
  constructor(replay) {
    this.#replay = replay;
    const box = this.#box;
    box.addEventListener("pointerover", ({ target, pointerType }) => {
      this.#moving = false;
      if (pointerType === "mouse") this.#show(wordOf(target));
    });
    box.addEventListener("pointerleave", () => this.#show(null));
    box.addEventListener("scroll", () => this.#show(this.#moving ? this.#word : null));
    box.addEventListener("click", ({ target }) => {
      if (getSelection().isCollapsed) this.#choose(wordOf(target));
    });
    box.addEventListener("keydown", (event) => this.#press(event));
    box.addEventListener("blur", () => this.#show(null));
    new MutationObserver((changes) => mark(changes)).observe(box, { childList: true, subtree: true });
  }

  #press(event) {
    const { key } = event;
    if (key === "Escape") this.#show(null);
    if (key === "Enter" && this.#word) this.#choose(this.#word);
    if (key !== "ArrowLeft" && key !== "ArrowRight") return;
    event.preventDefault();
    const words = [...this.#box.querySelectorAll(".word")];
    const now = words.indexOf(this.#word);
    const step = key === "ArrowLeft" ? -1 : 1;
    const next = now < 0 ? words.at(-1) : words[now + step];
    if (!next) return;
    this.#moving = true;
    next.scrollIntoView({ block: "nearest" });
    this.#show(next);
  }

  #choose(word) {
    this.#show(word);
    if (word === null) return;
    const [start, end] = [Number(word.dataset.start), Number(word.dataset.end)];
    if (this.#replay.has(start, end)) this.#replay.play(start, end);
  }

  #show(word) {
    this.#word?.classList.remove("chosen");
    this.#word = word;
    this.#label.hidden = word === null;
    if (word === null) return;
    word.classList.add("chosen");
    this.#label.textContent = this.#about(word);
    const { left, right, top, bottom } = word.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.#label;
    const x = Math.max(GAP, Math.min(innerWidth - width - GAP, (left + right - width) / 2));
    const y = top - height - GAP > GAP ? top - height - GAP : bottom + GAP;
    this.#label.style.translate = `${Math.round(x)}px ${Math.round(y)}px`;
  }

  #about({ dataset: { start, end, confidence } }) {
    const parts = [clock(Number(start))];
    if (confidence !== undefined) {
      parts.push(t("confidence", { percent: Math.round(100 * confidence) }));
    }
    if (this.#replay.has(Number(start), Number(end))) parts.push(t("click_to_hear"));
    return parts.join(" · ");
  }
}

/** Return a time as 0:12.4 or 1:02:03.4. */
export function clock(seconds) {
  const tenths = Math.floor(seconds * 10);
  const [h, m, s] = [tenths / 36_000, (tenths / 600) % 60, (tenths % 600) / 10];
  const minutes = String(Math.floor(m)).padStart(h >= 1 ? 2 : 1, "0");
  const rest = s.toFixed(1).padStart(4, "0");
  return h >= 1 ? `${Math.floor(h)}:${minutes}:${rest}` : `${minutes}:${rest}`;
}

const wordOf = (target) => target.closest?.(".word") ?? null;

function mark(changes) {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) {
      for (const word of node.querySelectorAll?.(".word[data-confidence]") ?? []) {
        if (Number(word.dataset.confidence) < DOUBTFUL) word.classList.add("doubtful");
      }
    }
  }
}
