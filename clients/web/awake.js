/** Keeps the screen on during captions. */
export class Awake {
  #wanted = false;
  #lock = null;

  /** Keep the screen on, if the browser supports it. */
  begin() {
    this.#wanted = true;
    document.addEventListener("visibilitychange", this.#take);
    return this.#take();
  }

  /** Let the system turn the screen off again. */
  end() {
    this.#wanted = false;
    document.removeEventListener("visibilitychange", this.#take);
    this.#lock?.release();
    this.#lock = null;
  }

  // The browser releases the lock whenever the page is hidden.
  #take = async () => {
    if (document.visibilityState !== "visible") return;
    try {
      const lock = await navigator.wakeLock?.request("screen");
      this.#lock?.release();
      this.#lock = lock;
      if (!this.#wanted) this.end();
    } catch {
      // The system refuses, e.g. because the battery is low.
    }
  };
}
