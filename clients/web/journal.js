/**
 * Replay buffer: audio and commands, kept until the server acknowledges them.
 *
 * Positions are bytes of audio since the client started, across all sessions. Port of
 * streamwhisper/client/replay_buffer.py; tests compare the two.
 */
import { StreamWhisperError } from "./fault.js";

const isAudio = (item) => item instanceof Uint8Array;

export class Journal {
  /** Position at which the current session started. */
  begin = 0;
  /** Position of the end of the audio. */
  end = 0;
  #maxUnacknowledged;
  #maxKept;
  #items = []; // Uint8Array, or {command, answered}
  #first = 0; // position of the first item
  #next = 0; // index of the next item to send
  #dropped = 0; // commands of the current session that are no longer kept
  #acknowledged = 0;
  #settled = 0;

  /**
   * @param {number} maxUnacknowledged unacknowledged bytes from which `full` is true.
   * @param {number} maxKept bytes of acknowledged audio to keep for another session.
   */
  constructor(maxUnacknowledged, maxKept) {
    this.#maxUnacknowledged = maxUnacknowledged;
    this.#maxKept = maxKept;
  }

  /** Bytes of audio that the server has not acknowledged. */
  get unacknowledged() {
    return this.end - this.#acknowledged;
  }

  /** Whether the server must acknowledge audio before more is sent. */
  get full() {
    return this.unacknowledged >= this.#maxUnacknowledged;
  }

  /** Append audio. */
  write(audio) {
    if (audio.length === 0) return;
    this.#items.push(audio);
    this.end += audio.length;
    this.#trim();
  }

  /** Append a command. */
  say(command) {
    this.#items.push({ command, answered: false });
  }

  /** Return the next item to send; null: there is none. */
  take() {
    if (this.#next === this.#items.length) return null;
    const item = this.#items[this.#next++];
    return isAudio(item) ? item : item.command;
  }

  /** Record that the session has received so many bytes of audio. */
  acknowledge(count) {
    this.#acknowledged = Math.max(this.#acknowledged, this.begin + count);
    this.#trim();
  }

  /** Record that all text before `position` is final: no session needs this audio again. */
  settle(position) {
    this.#settled = Math.max(this.#settled, Math.min(position, this.end));
    this.#trim();
  }

  /** Record the answer to the first waiting command of this type and id. */
  answer(type, id) {
    const item = this.#waiting().find(
      ({ command }) => command.type === type && (command.id ?? null) === (id ?? null),
    );
    if (item === undefined) return;
    item.answered = true;
    this.#trim();
  }

  /** Record that the newest flush will not be answered. */
  refuseFlush() {
    const item = this.#waiting().findLast(({ command }) => command.type === "flush");
    if (item !== undefined) item.answered = true;
  }

  /**
   * Continue the same session, which has received so many bytes of audio and so many commands.
   * Throws "resume_position" if that is less than was acknowledged, or more than was sent.
   */
  resume(count, commands) {
    const target = this.begin + count;
    if (target < this.#first || target > this.end || commands < this.#dropped) {
      throw new StreamWhisperError(
        "resume_position",
        `The session was resumed at ${count} bytes of audio; expected ` +
          `${this.#first - this.begin} (acknowledged) to ${this.end - this.begin} (sent).`,
      );
    }
    this.#seek(target, commands - this.#dropped);
    this.#acknowledged = Math.max(this.#acknowledged, target);
    this.#trim();
  }

  /**
   * Continue in a new session; return its first position. Answered commands are not repeated.
   * Throws "too_far_behind" if the audio from there on is not kept.
   */
  restart() {
    if (this.#settled < this.#first) {
      throw new StreamWhisperError(
        "too_far_behind",
        `The server has lost the session, and ${this.end - this.#settled} bytes of audio came ` +
          `since its last final text; at most ${this.#maxKept} are kept (reconnect.maxReplay). ` +
          "Start a new session.",
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

  /** Continue to send after position `target` and after so many of the kept commands. */
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
