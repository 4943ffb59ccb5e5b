/** Copies and downloads the transcript. */
import { $ } from "./page.js";
import { t } from "./texts.js";

const SHOWN = 1500; // milliseconds that "Copied" is shown

/** Copy a text to the clipboard, and say so on the button. */
export async function copy(text, button) {
  const label = button.querySelector(".label") ?? button;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Insecure pages have no clipboard API.
    const area = Object.assign(document.createElement("textarea"), { value: text });
    (button.closest("dialog") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  label.textContent = t("copied");
  setTimeout(() => (label.textContent = t("copy")), SHOWN);
}

/** Download a text as a file. */
export function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Connect the buttons that copy and download a transcript; `saved` is called after each. */
export function connect(transcript, saved = () => {}) {
  $("copy").onclick = () => {
    copy(transcript.toText(), $("copy"));
    saved();
  };
  const texts = {
    txt: () => transcript.toText(),
    srt: () => transcript.toSrt(),
    vtt: () => transcript.toVtt(),
    json: () => transcript.toJson(),
  };
  for (const [kind, text] of Object.entries(texts)) {
    $(kind).onclick = () => {
      const at = new Date().toISOString().slice(0, 16).replace(/[:T]/g, "-");
      download(`captions-${at}.${kind}`, text());
      $("download").open = false;
      saved();
    };
  }
}
