/** The Share dialog: the name of the room in which others can read along. */
import { $, query } from "./page.js";
import { t } from "./texts.js";

const NAME = /^[A-Za-z0-9._-]{1,64}$/;

/** Return the name as typed, with spaces replaced by dashes. */
export const corrected = (name) => name.trimStart().replace(/\s+/g, "-");

/** The name of the shared room; "" if the captions are not shared. */
export function room() {
  return $("room").value.trim();
}

/** Return why the room's name is not allowed; null: it is, or there is none. */
export function roomFault() {
  const name = room();
  return name === "" || NAME.test(name) ? null : t("room_invalid", { name });
}

/** Lock or unlock the name: it cannot change while a session runs. */
export function lock(locked) {
  $("room").disabled = locked;
}

/** Connect the dialog. */
export function connect() {
  $("room").value = corrected(query.get("publish") ?? "");
  $("room").oninput = () => {
    const name = corrected($("room").value);
    if (name !== $("room").value) $("room").value = name;
    show();
  };
  $("share-button").onclick = () => $("share").showModal();
  document.addEventListener("language", show);
  show();
}

function show() {
  const fault = roomFault();
  $("room").ariaInvalid = String(fault !== null);
  if (fault !== null || room() === "") {
    $("room-text").textContent = fault ?? t("room_text");
    return;
  }
  const { href } = new URL(`watch/${room()}`, location.href);
  const link = { href, textContent: href, target: "_blank" };
  $("room-text").replaceChildren(
    `${t("read_along")} `,
    Object.assign(document.createElement("a"), link),
  );
}
