/** The list of what can be listened to: microphones, and the sound of a tab or the screen. */
import { remember, remembered } from "./appearance.js";
import { canShare, microphones } from "./capture.js";

const DISPLAY = "display"; // the choice of a tab or the screen

export class Sources {
  #list;

  /** @param {HTMLSelectElement} list that is filled, and kept as the devices are. */
  constructor(list) {
    this.#list = list;
    list.addEventListener("change", () => remember("source", list.value));
    navigator.mediaDevices?.addEventListener("devicechange", () => this.refresh());
  }

  /** What is chosen, as Capture.open takes it. */
  get chosen() {
    const { value } = this.#list;
    return value === DISPLAY ? { kind: DISPLAY } : { kind: "microphone", deviceId: value };
  }

  /** List what there is now; names are known once a microphone was allowed. */
  async refresh() {
    const found = (await microphones()).filter(({ deviceId }) => deviceId !== "");
    const options = found.map(
      ({ deviceId, label }, k) => new Option(label || `Microphone ${k + 1}`, deviceId),
    );
    if (options.length === 0) options.push(new Option("Microphone", ""));
    const display = new Option("Sound of a tab or the screen…", DISPLAY);
    if (!canShare()) {
      display.disabled = true;
      display.text = "Sound of a tab: not in this browser";
    }
    const value = this.#list.value || remembered("source");
    this.#list.replaceChildren(...options, display);
    this.#choose(value);
  }

  /** Show what is listened to, {kind, deviceId}. */
  async show({ kind, deviceId }) {
    await this.refresh();
    this.#choose(kind === DISPLAY ? DISPLAY : deviceId);
  }

  #choose(value) {
    const option = [...this.#list.options].find((option) => option.value === value);
    if (option && !option.disabled) this.#list.value = value;
  }
}
