/** The page of a viewer: shared captions of a room. */
import { Awake } from "./awake.js";
import { $, root, say, secrets } from "./page.js";
import { Room } from "./room.js";
import { t } from "./texts.js";

/** Show the captions of a room. */
export function watch(name, text) {
  root.dataset.watching = "";
  document.title = `${name} · captions`;
  for (const id of ["hint-title", "hint-text"]) delete $(id).dataset.t;
  $("sharing").hidden = false;
  $("sharing-copy").hidden = true;
  say("sharing-name", name);
  let state = "connecting"; // waiting, live, ended, reconnecting or failed
  let live = false; // whether a session was seen
  let restarted = false; // the next text starts a new transcript

  const show = (now = state) => {
    state = now;
    root.dataset.room = state;
    say("hint-title", state === "ended" ? t("watch_ended") : t("watch_waiting", { room: name }));
    say("hint-text", t("watch_hint"));
    say("status", statusText(state, name));
  };
  const room = new Room({ name, token: secrets.get("token") });
  for (const type of ["committed", "partial"]) {
    room.addEventListener(type, () => {
      if (restarted) text.clear();
      restarted = false;
    });
  }
  text.follow(room);
  room.addEventListener("watching", ({ detail: { session } }) => {
    restarted = true;
    text.guess("");
    live ||= session !== null;
    if (session !== null) show("live");
    else show(live ? "ended" : "waiting");
  });
  room.addEventListener("state", ({ detail }) => {
    root.dataset.state = detail.state;
    if (detail.state !== "open") show(detail.state);
    say("notice", detail.state === "failed" ? detail.cause : "");
  });
  document.addEventListener("language", () => show());
  show();
  room.watch();
  new Awake().begin();
}

function statusText(state, name) {
  switch (state) {
    case "live":
      return t("live");
    case "ended":
      return t("watch_ended");
    case "reconnecting":
      return t("watch_reconnecting");
    case "failed":
      return t("not_connected");
    case "waiting":
      return t("watch_waiting", { room: name });
    default:
      return t("connecting");
  }
}
