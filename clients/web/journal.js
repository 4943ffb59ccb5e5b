/**
 * What a client has said: sent once, and kept as long as it may have to be said again.
 *
 * Positions are bytes of audio since the client began, whatever sessions heard them. The same as
 * streamwhisper/client/replay_buffer.py, against which the tests hold it.
 */
import { StreamWhisperError } from "./fault.js";

const isAudio = (item) => item instanceof Uint8Array;

export class Journal {
  /** Position at which the present session began. */
  begin = 0;
  /** Position up to which there is audio. */
  end = 0;
  #maxUnacknowledged;
  #maxKept;
  #items = []; // Uint8Array, or {command, answered}
  #first = 0; // position of the first item
  #next = 0; // index of the item that is to be sent next
  #dropped = 0; // commands of the present session that are no longer kept
  #acknowledged = 0;
  #settled = 0;

  /**
   * @param {number} maxUnacknowledged bytes of audio from which the journal is full.
   * @param {number} maxKept bytes of audio that are kept though the present session has them.
   */
  constructor(maxUnacknowledged, maxKept) {
    this.#maxUnacknowledged = maxUnacknowledged;
    this.#maxKept = maxKept;
  }

  /** Bytes of audio that the server has not confirmed. */
  get unacknowledged() {
    return this.end - this.#acknowledged;
  }

  /** Whether the server has to acknowledge something first. */
  get full() {
    return this.unacknowledged >= this.#maxUnacknowledged;
  }

  /** Audio that is to be sent. */
  write(audio) {
    if (audio.length === 0) return;
    this.#items.push(audio);
    this.end += audio.length;
    this.#trim();
  }

  /** A command that is to be sent. */
  say(command) {
    this.#items.push({ command, answered: false });
  }

  /** What is to be sent next; null if that was all. */
  take() {
    if (this.#next === this.#items.length) return null;
    const item = this.#items[this.#next++];
    return isAudio(item) ? item : item.command;
  }

  /** The session has so many bytes of audio safely. */
  acknowledge(count) {
    this.#acknowledged = Math.max(this.#acknowledged, this.begin + count);
    this.#trim();
  }

  /** Everything before `position` is dealt with; no session will have to hear it again. */
  settle(position) {
    this.#settled = Math.max(this.#settled, Math.min(position, this.end));
    this.#trim();
  }

  /** The first such command that waited for its answer has got it. */
  answer(type, id) {
    const said = this.#waiting().find(
      ({ command }) => command.type === type && (command.id ?? null) === (id ?? null),
    );
    if (said === undefined) return;
    said.answered = true;
    this.#trim();
  }

  /** The newest flush that was sent is not going to be answered. */
  refuseFlush() {
    const said = this.#waiting().findLast(({ command }) => command.type === "flush");
    if (said !== undefined) said.answered = true;
  }

  /**
   * Go on in the same session, which has so many bytes of audio and so many commands.
   * Throws "resume_position": that is less than was acknowledged, or more than it got.
   */
  resume(count, commands) {
    const target = this.begin + count;
    if (target < this.#first || target > this.end || commands < this.#dropped) {
      throw new StreamWhisperError(
        "resume_position",
        `the session was resumed at ${count} bytes of audio; expected from ` +
          `${this.#first - this.begin}, the rest being acknowledged, to ` +
          `${this.end - this.begin}, which were sent.`,
      );
    }
    this.#seek(target, commands - this.#dropped);
    this.#acknowledged = Math.max(this.#acknowledged, target);
    this.#trim();
  }

  /**
   * Go on in a new session, at the position that is returned: where the last settled. Commands
   * that were answered are not said again.
   * Throws "connection_lost": the audio from there on is not all kept.
   */
  restart() {
    if (this.#settled < this.#first) {
      throw new StreamWhisperError(
        "too_far_behind",
        `the server has lost the session, and ${this.end - this.#settled} bytes of audio came ` +
          `since its last final text; ${this.#maxKept} are kept (reconnect.maxReplay). ` +
          "Start again for what is said from now on.",
      );
    }
    this.#seek(this.#settled, 0);
    let position = this.#first;
    this.#items = this.#items.filter((item) => {
      if (!isAudio(item)) return !item.answered;
      position += item.length;
      return position > this.#settled;
    });
    this.#next = this.#dropped = 0;
    this.#first = this.begin = this.#acknowledged = this.#settled;
    return this.begin;
  }

  #waiting() {
    return this.#items.slice(0, this.#next).filter((item) => !isAudio(item) && !item.answered);
  }

  /** Send next what comes after `target` and after so many of the commands here. */
  #seek(target, commands) {
    let position = this.#first;
    for (const [index, item] of this.#items.entries()) {
      if (!isAudio(item)) {
        commands -= 1;
        if (commands < 0 && position >= target) {
          this.#next = index;
          return;
        }
        continue;
      }
      if (position + item.length > target) {
        const known = target - position;
        this.#next = index;
        if (known > 0) {
          this.#items.splice(index, 1, item.subarray(0, known), item.subarray(known));
          this.#next = index + 1;
        }
        return;
      }
      position += item.length;
    }
    this.#next = this.#items.length;
  }

  #trim() {
    const unneeded = Math.min(
      this.#acknowledged,
      Math.max(this.#settled, this.end - this.#maxKept),
    );
    let gone = 0;
    for (; gone < this.#next; gone += 1) {
      const head = this.#items[gone];
      if (!isAudio(head)) {
        if (!head.answered) break;
        this.#dropped += 1;
      } else if (this.#first + head.length <= unneeded) {
        this.#first += head.length;
      } else break;
    }
    this.#items.splice(0, gone);
    this.#next -= gone;
  }
}
