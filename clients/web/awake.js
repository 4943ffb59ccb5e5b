/** A screen that stays on for as long as somebody speaks or reads along. */
export class Awake {
  #wanted = false;
  #lock = null;

  /** Keep it on from now on, where the browser can. */
  begin() {
    this.#wanted = true;
    document.addEventListener("visibilitychange", this.#take);
    return this.#take();
  }

  /** Leave it to the system again. */
  end() {
    this.#wanted = false;
    document.removeEventListener("visibilitychange", this.#take);
    this.#lock?.release();
    this.#lock = null;
  }

  // The browser lets go of it whenever the page is out of sight.
  #take = async () => {
    if (document.visibilityState !== "visible") return;
    try {
      const lock = await navigator.wakeLock?.request("screen");
      this.#lock?.release();
      this.#lock = lock;
      if (!this.#wanted) this.end();
    } catch {
      // A battery that is nearly empty has the last word.
    }
  };
}
