// Asking the server, and the outbox: what was decided stays here until the server has stored it.

const PREFIX = `ecotone.outbox.${location.host}.`;
const RETRY = 1500; // milliseconds
const TIMEOUT = 15000;

/** The server could not be reached: nothing is known of what was asked. */
export class Offline extends Error {}

/** The server refused; `status` and `body` say why. */
export class Refused extends Error {
  constructor(status, body) {
    super(body?.error ?? `refused (${status})`);
    this.status = status;
    this.body = body ?? {};
  }
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, {
      credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(TIMEOUT), ...options,
    });
  } catch (error) {
    throw new Offline(error.message);
  }
  if (response.status >= 502 && response.status <= 504) throw new Offline(String(response.status));
  let body = null;
  try {
    body = await response.json();
  } catch {
    if (response.ok) throw new Offline("the answer broke off");
  }
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}

/** Read json; parameters that are lists are repeated, empty ones left out. */
export function get(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== "" && one !== undefined && one !== null) query.append(key, one);
    }
  }
  const text = query.toString();
  return ask(text ? `${path}?${text}` : path);
}

/** Send json with the page's own header. */
export function post(path, body) {
  return ask(path, {
    method: "POST", body: JSON.stringify(body),
    headers: { "content-type": "application/json", "x-ecotone": "1" },
  });
}

/** A key that no other decision has. `randomUUID` is missing where the page is not secure. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** Decisions on their way: kept in this browser, sent one by one, in order, until each is answered.
 *
 * onanswer(entry, answer), onrefused(entry, error), onchange(waiting, online).
 */
export class Outbox {
  constructor({ onanswer, onrefused, onchange }) {
    this.onanswer = onanswer;
    this.onrefused = onrefused;
    this.onchange = onchange;
    this.online = true;
    this.entries = this.kept();
    this.sending = false;
  }

  /** What an earlier page could not send. */
  kept() {
    const found = [];
    for (let i = 0; i < localStorage.length; i += 1) {
      const key = localStorage.key(i);
      if (!key.startsWith(PREFIX)) continue;
      try {
        found.push(JSON.parse(localStorage.getItem(key)));
      } catch {
        localStorage.removeItem(key);
      }
    }
    return found.filter((e) => e?.request?.key).sort((a, b) => a.at - b.at);
  }

  /** Add a decision; it is in this browser's storage before this returns. */
  add(request, note = {}) {
    const entry = { request, note, at: Date.now() + Math.random() };
    try {
      localStorage.setItem(PREFIX + request.key, JSON.stringify(entry));
    } catch {
      entry.unkept = true; // storage is full or closed: it still is sent
    }
    this.entries.push(entry);
    this.changed();
    this.send();
    return entry;
  }

  changed() {
    this.onchange(this.entries.length, this.online);
  }

  remove(entry) {
    localStorage.removeItem(PREFIX + entry.request.key);
    this.entries = this.entries.filter((e) => e !== entry);
    this.changed();
  }

  setOnline(online) {
    if (this.online === online) return;
    this.online = online;
    this.changed();
    if (online) this.send();
  }

  async send() {
    if (this.sending) return;
    this.sending = true;
    while (this.entries.length) {
      const entry = this.entries[0];
      try {
        const answer = await post("/api/decide", entry.request);
        this.online = true;
        this.remove(entry);
        this.onanswer(entry, answer);
      } catch (error) {
        if (error instanceof Refused && error.status !== 401 && error.status < 500) {
          this.remove(entry);
          this.onrefused(entry, error);
          continue;
        }
        this.online = false;
        this.locked = error.status === 401;
        this.changed();
        await new Promise((resolve) => setTimeout(resolve, RETRY));
      }
    }
    this.sending = false;
  }
}
