/** The captions page: live captions of this device, or of a shared room. */
import { contrast, sizes } from "./appearance.js";
import * as code from "./code.js";
import { canFloat, float } from "./float.js";
import { History } from "./history.js";
import { Keeping } from "./keeping.js";
import { closeMenus } from "./menus.js";
import * as notice from "./notice.js";
import { beginOverlay, OVERLAY } from "./overlay.js";
import { $, query, root } from "./page.js";
import { Replay } from "./replay.js";
import * as saving from "./saving.js";
import * as settings from "./settings.js";
import * as share from "./share.js";
import { Speaker } from "./speaking.js";
import { Text } from "./text.js";
import { available, language, languageOf, speak as use, t, translate } from "./texts.js";
import { toast } from "./toast.js";
import { watch } from "./watching.js";
import { Welcome } from "./welcome.js";
import { Words } from "./words.js";

const overlay = query.has("overlay");
const watched = query.get("watch");

function speak(text) {
  settings.connect();
  share.connect();
  code.connect();
  const replay = new Replay();
  const keeping = overlay ? null : new Keeping(text);
  const speaker = new Speaker(text, replay, () => clear(text, keeping, replay));
  if (!overlay) {
    new Welcome(text, speaker);
    new Words(replay);
    new History(keeping, (kept) => {
      if (speaker.running) return notice.show(t("stop_first"));
      keeping.renew(kept);
      replay.clear();
      text.load(kept.spans);
      keeping.saved();
    });
  }
  saving.connect(text.transcript, () => keeping?.saved());
  $("clear").onclick = () => {
    $("more").open = false;
    clear(text, keeping, replay);
  };
  $("keep-audio").onchange = () => (replay.enabled = $("keep-audio").checked);
  $("float").hidden = !canFloat();
  $("float").onclick = () => {
    $("more").open = false;
    float(text);
  };
  addEventListener("beforeunload", (event) => {
    keeping?.store();
    if (text.transcript.empty) return;
    if (speaker.running || keeping?.unsaved) event.preventDefault();
  });
  if (!speaker.check()) return;
  if (overlay) beginOverlay(() => speaker.start());
  else if (share.room() !== "") notice.show(t("shares_as", { room: share.room() }));
  addEventListener("keydown", (event) => press(event, speaker));
}

/** Start and stop with the space bar, where nothing else uses it. */
function press(event, speaker) {
  if (event.key !== " " || event.repeat || event.target !== document.body) return;
  event.preventDefault();
  if (speaker.running) speaker.stop();
  else speaker.start();
}

/** Begin a new transcript; the present one can be brought back. */
function clear(text, keeping, replay) {
  const spans = text.transcript.spans;
  if (spans.length === 0) return;
  keeping?.store();
  const current = keeping?.current ?? null;
  text.clear();
  keeping?.renew();
  const run = () => {
    const later = text.transcript.spans;
    keeping?.renew(current);
    text.load([...spans, ...later]);
  };
  toast(t("cleared"), { label: t("undo"), run });
  if (!root.dataset.running) replay.clear();
}

function listPageLanguages() {
  const list = $("page-language");
  list.replaceChildren(...available.map((tag) => new Option(languageOf(tag), tag)));
  list.value = language();
  list.onchange = () => use(list.value);
}

function begin() {
  translate();
  if (overlay) root.dataset.overlay = "";
  root.dataset.view = "text";
  sizes($("smaller"), $("larger"), Number(query.get("size")) || (overlay ? OVERLAY.size : null));
  contrast($("contrast"));
  closeMenus();
  listPageLanguages();
  const text = new Text(overlay ? OVERLAY.paragraphs : Infinity);
  if (watched) {
    saving.connect(text.transcript);
    watch(watched, text);
  } else {
    speak(text);
  }
}

begin();
