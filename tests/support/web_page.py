"""Scripts that run in a page of the web client."""

from __future__ import annotations

DICTATE = """
async ([sound, speed, cuts]) => {
  globalThis.events = [];
  const { StreamWhisper } = await import("/streamwhisper.js");
  const bytes = Uint8Array.from(atob(sound), (sign) => sign.charCodeAt(0));
  const sockets = [];
  const Real = globalThis.Real ??= WebSocket;
  globalThis.WebSocket = class extends Real {
    constructor(...given) {
      super(...given);
      sockets.push(this);
    }
  };
  const stream = new StreamWhisper({ url: "/v1/stream", reconnect: { longestDelay: 0.2 } });
  const { events } = globalThis;
  for (const type of ["committed", "partial", "state", "error", "done"]) {
    stream.addEventListener(type, ({ detail }) => events.push(detail));
  }
  const chunk = 3200;
  const due = cuts.map((share) => share * bytes.length);
  stream.connect();
  for (let at = 0; at < bytes.length; at += chunk) {
    stream.send(bytes.subarray(at, at + chunk)); // at first before it is open
    if (at >= due[0]) {
      due.shift();
      sockets.at(-1).close(4001); // its session does not know
    }
    await new Promise((resolve) => setTimeout(resolve, 100 / speed));
  }
  const done = await stream.end();
  return { events, done, connections: sockets.length, seconds: bytes.length / 32000 };
}
"""
