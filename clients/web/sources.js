/** The list of audio sources: microphones, and the audio of a tab or screen. */
import { remember, remembered } from "./appearance.js";
import { canShare, microphones } from "./capture.js";
import { t } from "./texts.js";

const DISPLAY = "display"; // value of the entry for a tab or screen

export class Sources {
  #list;

  /** @param {HTMLSelectElement} list shows the sources, and follows changes of devices. */
  constructor(list) {
    this.#list = list;
    list.addEventListener("change", () => remember("source", list.value));
    navigator.mediaDevices?.addEventListener("devicechange", () => this.refresh());
  }

  /** The chosen source, as an argument of Capture.open. */
  get chosen() {
    const { value } = this.#list;
    return value === DISPLAY ? { kind: DISPLAY } : { kind: "microphone", deviceId: value };
  }

  /** Update the list; names are known once the user has allowed a microphone. */
  async refresh() {
    const found = (await microphones()).filter(({ deviceId }) => deviceId !== "");
    const options = found.map(
      ({ deviceId, label }, k) => new Option(label || `${t("microphone")} ${k + 1}`, deviceId),
    );
    if (options.length === 0) options.push(new Option(t("microphone"), ""));
    const display = new Option(t("tab_source"), DISPLAY);
    if (!canShare()) {
      display.disabled = true;
      display.text = t("tab_unsupported");
    }
    const value = this.#list.value || remembered("source");
    this.#list.replaceChildren(...options, display);
    this.#choose(value);
  }

  /** Select the source in use: {kind, deviceId}. */
  async show({ kind, deviceId }) {
    await this.refresh();
    this.#choose(kind === DISPLAY ? DISPLAY : deviceId);
  }

  #choose(value) {
    const option = [...this.#list.options].find((option) => option.value === value);
    if (option && !option.disabled) this.#list.value = value;
  }
}
