/** The dialog of recent transcripts: open and delete them. */
import * as archive from "./archive.js";
import { $ } from "./page.js";
import { language, t } from "./texts.js";

const SHOWN = 90; // characters of a transcript in the list

export class History {
  #keeping;
  #open;

  /**
   * @param {import("./keeping.js").Keeping} keeping
   * @param {(kept: import("./archive.js").Kept) => void} open shows a transcript.
   */
  constructor(keeping, open) {
    this.#keeping = keeping;
    this.#open = open;
    $("history-button").onclick = $("recent").onclick = () => this.show();
    $("keep-text").onchange = () => (keeping.enabled = $("keep-text").checked);
    $("history-empty").onclick = async () => {
      await archive.empty();
      await this.#list();
    };
    keeping.addEventListener("stored", () => this.#count());
    document.addEventListener("language", () => this.#count());
    this.#count();
  }

  /** Open the dialog. */
  async show() {
    await this.#keeping.store();
    $("keep-text").checked = this.#keeping.enabled;
    await this.#list();
    $("more").open = false;
    $("history").showModal();
  }

  async #count() {
    const { length } = await archive.list().catch(() => []);
    $("recent").hidden = length === 0;
    $("recent").textContent = t("recent", { count: length });
  }

  async #list() {
    const all = await archive.list().catch(() => []);
    $("history-empty").disabled = all.length === 0;
    if (all.length === 0) {
      const none = document.createElement("li");
      none.textContent = t("history_none");
      $("history-list").replaceChildren(none);
    } else {
      $("history-list").replaceChildren(...all.map((kept) => this.#entry(kept)));
    }
    await this.#count();
  }

  #entry(kept) {
    const [entry, title, text] = ["li", "b", "span"].map((name) => document.createElement(name));
    title.textContent = described(kept);
    text.textContent = beginning(kept.spans);
    const open = button(t("open"), () => {
      $("history").close();
      this.#open(kept);
    });
    const remove = button(t("delete"), async () => {
      await archive.remove(kept.id);
      await this.#list();
    });
    for (const each of [open, remove]) each.ariaLabel = `${each.textContent}: ${title.textContent}`;
    entry.append(title, text, open, remove);
    return entry;
  }
}

function button(label, run) {
  return Object.assign(document.createElement("button"), {
    className: "quiet",
    textContent: label,
    onclick: run,
  });
}

function described({ at, spans }) {
  const format = { dateStyle: "medium", timeStyle: "short" };
  const when = new Date(at).toLocaleString(language(), format);
  return `${when} · ${t("words", { count: spans.length.toLocaleString(language()) })}`;
}

function beginning(spans) {
  let text = "";
  for (const span of spans) {
    text += span.text;
    if (text.length > SHOWN) return `${text.trim().slice(0, SHOWN)}…`;
  }
  return text.trim();
}
