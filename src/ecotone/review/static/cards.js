// The grid of cards: each a crop, what the model thinks, what people said.

import { $, el, name, percent, time } from "./dom.js";

const STEP = 24; // cards that are added at once

/** The address of a picture. */
export function pictureUrl(kind, card, sharp = false) {
  const who = card.human ? "&person=1" : ""; // another address when it is blurred: nothing stale
  return `/picture/${kind}?id=${encodeURIComponent(card.id)}${who}${sharp ? "&sharp=1" : ""}`;
}

/** Who said what of a card, in words. */
export function said(card, pending) {
  if (pending !== undefined) return { text: pending, state: "pending", note: "saving…" };
  if (card.others?.length) {
    return { text: card.label?.label ?? "", state: "disputed",
      note: `${card.others.map((o) => `${o.author}: ${o.label}`).join(", ")}` };
  }
  if (card.label) return { text: card.label.label, state: "labelled", note: card.label.author };
  return null;
}

export class Grid {
  constructor(state, { onopen, onmore }) {
    this.state = state;
    this.onopen = onopen;
    this.onmore = onmore;
    this.box = $("cards");
    this.nodes = new Map();
    this.sharp = new Set();
    this.blurs = true;
    this.box.addEventListener("click", (event) => this.clicked(event));
    this.box.addEventListener("dblclick", (event) => {
      const id = event.target.closest("[data-id]")?.dataset.id;
      if (id) this.onopen(id);
    });
    state.on("cards", (ids) => ids.forEach((id) => this.renew(id)));
    state.on("selection", () => this.marks());
    state.on("focus", (options) => this.focused(options));
    this.watcher = new IntersectionObserver((seen) => {
      if (seen.some((s) => s.isIntersecting)) this.onmore();
    }, { rootMargin: "600px" });
    this.watcher.observe($("end"));
  }

  /** Begin with the queue's first cards. */
  begin() {
    this.box.replaceChildren();
    this.nodes.clear();
    this.state.shown = 0;
    this.more();
  }

  /** Show the next cards whose data are here; whether there were any. */
  more() {
    const { state } = this;
    let added = 0;
    while (added < STEP && state.shown < state.ids.length) {
      const card = state.cards.get(state.ids[state.shown]);
      if (!card) break;
      const node = this.make(card);
      this.nodes.set(card.id, node);
      this.box.append(node);
      state.shown += 1;
      added += 1;
    }
    this.marks();
    return added > 0;
  }

  make(card) {
    const node = el("div", {
      class: "card", role: "option", "data-id": card.id, tabindex: "-1", id: `card-${card.id}`,
      "aria-selected": "false",
    });
    this.fill(node, card);
    return node;
  }

  fill(node, card) {
    const best = card.top[0];
    const spoken = said(card, this.state.pending.get(card.id));
    const reason = this.state.reasons[card.id];
    const hidden = card.human && this.blurs && !this.sharp.has(card.id);
    const old = node.querySelector("img");
    const source = pictureUrl("crop", card, this.sharp.has(card.id));
    const image = old?.getAttribute("src") === source ? old
      : el("img", { src: source, alt: "", loading: "lazy", decoding: "async", onerror: failed });
    node.className = `card ${spoken ? spoken.state : "open"}${card.id === this.state.focus ? " focus" : ""}`;
    const label = [spoken ? `${spoken.text}, ${spoken.note}` : "not decided",
      best ? `model: ${best.label} ${percent(best.p)}` : "", hidden ? "person, blurred" : "",
      card.site, time(card.time), card.frame >= 0 ? `video, frame ${card.frame}` : ""];
    node.setAttribute("aria-label", label.filter(Boolean).join("; "));
    node.replaceChildren(
      el("div", { class: "crop" }, image, el("span", { class: "tick" }),
        hidden && el("span", { class: "veil" }, "person, blurred"),
        card.frame >= 0 && el("span", { class: "number", "aria-hidden": "true" }, `▸ ${card.frame}`),
        reason && el("span", { class: "reason", title: reason }, name(reason))),
      el("div", { class: "sure", style: { width: `${100 * (best?.p ?? 0)}%` } }),
      el("div", { class: "words" }, ...this.words(card, best, spoken)));
    this.mark(node, card.id);
  }

  /** What people said, else what the model thinks; under it whatever differs. */
  words(card, best, spoken) {
    const line = (kind, text, p, by = "") => el("p", { class: kind }, name(text, { title: by + text }),
      p !== undefined && el("span", { class: "p" }, percent(p)));
    const lines = [];
    if (spoken) {
      lines.push(line("said", spoken.text), el("p", { class: "by" }, name(spoken.note, { title: spoken.note })));
      if (best && best.label !== spoken.text) lines.push(line("best", best.label, best.p));
    } else if (best) lines.push(line("best", best.label, best.p));
    else lines.push(el("p", { class: "world" }, "no model has seen it"));
    const world = card.global;
    if (!spoken && world && world.label !== best?.label) lines.push(line("world", world.label, world.p, "global model: "));
    return lines;
  }

  renew(id) {
    const node = this.nodes.get(id);
    const card = this.state.cards.get(id);
    if (node && card) {
      this.fill(node, card);
      node.hidden = card.used === false;
    }
  }

  marks() {
    for (const [id, node] of this.nodes) this.mark(node, id);
    this.box.classList.toggle("selecting", this.state.selected.size > 0);
  }

  mark(node, id) {
    const { selected, focus } = this.state;
    node.setAttribute("aria-selected", String(selected.has(id)));
    node.classList.toggle("focus", id === focus);
    node.tabIndex = id === focus ? 0 : -1;
  }

  focused(options = {}) {
    this.marks();
    const node = this.nodes.get(this.state.focus);
    if (!node) return;
    if (options.scroll) node.scrollIntoView({ block: "nearest" });
    const inside = this.box.contains(document.activeElement) || document.activeElement === document.body;
    if (options.take || inside) node.focus({ preventScroll: true });
    const at = this.state.ids.indexOf(this.state.focus);
    if (at > this.state.shown - 8) this.onmore();
  }

  clicked(event) {
    const node = event.target.closest("[data-id]");
    if (!node) return;
    const { id } = node.dataset;
    if (event.shiftKey) {
      this.state.selectRange(id);
      this.state.setFocus(id, { keepAnchor: true, take: true });
    } else if (event.ctrlKey || event.metaKey || event.target.closest(".tick")) {
      this.state.toggle(id);
      this.state.setFocus(id, { take: true });
    } else {
      this.state.setFocus(id, { take: true });
    }
  }

  /** How many cards stand in a row. */
  columns() {
    return getComputedStyle(this.box).gridTemplateColumns.split(" ").length || 1;
  }

  /** Show a person's picture sharp. */
  reveal(id) {
    this.sharp.add(id);
    this.renew(id);
  }
}

function failed(event) {
  const image = event.target;
  image.replaceWith(el("span", { class: "missing" }, "no picture"));
}
