// What the page knows: cards by id, the order of the queue, focus and selection.

const NOTICED = 700; // milliseconds after which a person may have seen a new label

/** The state and who is told when a part of it changes: "cards", "queue", "focus", "selection". */
export class State {
  constructor() {
    this.cards = new Map();
    this.reasons = {};
    this.ids = [];
    this.total = 0;
    this.shown = 0;
    this.focus = null;
    this.anchor = null;
    this.selected = new Set();
    this.pending = new Map(); // id -> the name that is on its way
    this.labels = new Map(); // id -> { number, before, since }: labels as they came to be shown
    this.queue = { queue: "next" };
    this.version = -1;
    this.epoch = -1;
    this.listeners = {};
  }

  on(what, listener) {
    (this.listeners[what] ??= []).push(listener);
  }

  tell(what, detail) {
    for (const listener of this.listeners[what] ?? []) listener(detail);
  }

  /** Take cards in, newer ones in the place of older. */
  take(cards) {
    const changed = [];
    for (const card of cards) {
      this.cards.set(card.id, card);
      this.note(card);
      changed.push(card.id);
    }
    if (changed.length) this.tell("cards", changed);
  }

  note(card) {
    const number = card.label?.number ?? 0;
    const known = this.labels.get(card.id);
    if (!known) this.labels.set(card.id, { number, before: number, since: 0 });
    else if (known.number !== number) {
      this.labels.set(card.id, { number, before: known.number, since: performance.now() });
    }
  }

  /** The number of the label that a person can have seen: one that came this moment is news. */
  seen(id) {
    const known = this.labels.get(id);
    if (!known) return 0;
    return performance.now() - known.since < NOTICED ? known.before : known.number;
  }

  setFocus(id, options = {}) {
    this.focus = id;
    if (!options.keepAnchor) this.anchor = id;
    this.tell("focus", options);
  }

  /** Move the focus by so many cards; false at the end. */
  move(by, options = {}) {
    const at = this.ids.indexOf(this.focus);
    const next = Math.min(Math.max(at + by, 0), this.ids.length - 1);
    if (next === at || next < 0) return false;
    this.setFocus(this.ids[next], { scroll: true, ...options });
    return true;
  }

  /** The next card that nobody has decided, after the focus; the focus stays at the end. */
  advance() {
    const at = this.ids.indexOf(this.focus);
    for (let i = at + 1; i < this.ids.length; i += 1) {
      if (!this.decided(this.ids[i])) {
        this.setFocus(this.ids[i], { scroll: true });
        return;
      }
    }
    this.tell("focus", {});
  }

  decided(id) {
    return this.pending.has(id) || Boolean(this.cards.get(id)?.label);
  }

  toggle(id, on = !this.selected.has(id)) {
    if (on) this.selected.add(id);
    else this.selected.delete(id);
    this.tell("selection");
  }

  /** Select all from the anchor to the focus. */
  selectRange(to) {
    const a = this.ids.indexOf(this.anchor ?? this.focus);
    const b = this.ids.indexOf(to);
    if (a < 0 || b < 0) return;
    for (let i = Math.min(a, b); i <= Math.max(a, b); i += 1) this.selected.add(this.ids[i]);
    this.tell("selection");
  }

  clearSelection() {
    if (!this.selected.size) return;
    this.selected.clear();
    this.tell("selection");
  }

  /** What a decision is about: the selection, else the card in focus. */
  targets() {
    if (this.selected.size) return this.ids.filter((id) => this.selected.has(id));
    return this.focus ? [this.focus] : [];
  }
}
