// Two pictures side by side: the same individual, or two?

import { get } from "./api.js";
import { pictureUrl } from "./cards.js";
import { $, button, count, el, name, percent, put, tell, time } from "./dom.js";
import { Zoom } from "./zoom.js";

const LOADED = 20; // pairs that are asked for at once
const key = (p) => [p.a.id, p.b.id].sort().join(" ");

export class Matches {
  constructor(state, actions, { picture }) {
    this.state = state;
    this.actions = actions;
    this.isSharp = picture;
    this.active = false;
    this.whole = false;
    this.sharp = false;
    this.pairs = [];
    this.at = 0;
    this.total = 0;
    this.zooms = [new Zoom("This one"), new Zoom("That one")];
  }

  /** Begin with the pairs that nobody has decided. */
  async open() {
    this.active = true;
    const found = await get("/api/pairs", { n: LOADED });
    this.pairs = found.pairs;
    this.total = found.total;
    this.at = 0;
    document.body.classList.add("pairing");
    this.draw();
  }

  close() {
    if (!this.active) return;
    this.active = false;
    document.body.classList.remove("pairing");
    const box = $("cards");
    box.classList.remove("pairs");
    box.setAttribute("role", "listbox");
    box.setAttribute("aria-multiselectable", "true");
    box.replaceChildren();
  }

  get pair() {
    return this.pairs[this.at];
  }

  /** Pairs that are left: none of those that were decided since the queue was opened. */
  get left() {
    return this.total - this.pairs.filter((p) => p.said).length;
  }

  /** Decide the pair that is shown, and show the next: "same", "different" or "cannot tell". */
  say(word) {
    const { pair } = this;
    if (!pair || !this.actions.author()) return;
    this.actions.match(pair.a.id, pair.b.id, word);
    pair.said = { decision: word, author: "saving…" };
    this.step(1);
  }

  async step(by) {
    const next = this.at + by;
    if (next < 0) return;
    if (next >= this.pairs.length && this.pairs.length < this.total) {
      const open = this.pairs.filter((p) => !p.said).length;
      const more = await get("/api/pairs", { n: LOADED, skip: open }).catch(() => ({ pairs: [] }));
      const here = new Set(this.pairs.map(key));
      this.pairs.push(...more.pairs.filter((p) => !here.has(key(p))));
    }
    this.at = Math.min(next, this.pairs.length);
    this.sharp = false;
    this.draw();
  }

  /** The server has stored a word on a pair, or taken one back. */
  stored(answer, request) {
    const ids = request.kind === "match" ? [request.id, request.other] : answer.target?.detections ?? [];
    const at = this.pairs.findIndex((p) => ids.includes(p.a.id) && ids.includes(p.b.id));
    if (at < 0) return;
    const pair = this.pairs[at];
    pair.said = request.kind === "undo" ? null
      : { decision: pair.said?.decision ?? "decided", author: answer.decision?.author ?? "" };
    if (request.kind === "undo") this.at = at;
    this.draw();
  }

  /** The pictures instead of their crops, or back. */
  toggleWhole() {
    this.whole = !this.whole;
    this.draw();
  }

  /** People's pictures sharp, or blurred again. */
  reveal() {
    this.sharp = !this.sharp;
    this.draw();
  }

  /** The buttons of this queue. */
  buttons() {
    const none = !this.pair;
    return [
      button("Same", "S", () => this.say("same"), { class: "primary", disabled: none }),
      button("Different", "D", () => this.say("different"), { disabled: none }),
      button("Cannot tell", "U", () => this.say("cannot tell"), { disabled: none }),
      button("Back", "P", () => this.step(-1), { disabled: this.at === 0 }),
      button("Next", "N", () => this.step(1), { disabled: none }),
      button("Whole pictures", "W", () => this.toggleWhole(), { disabled: none, "aria-pressed": String(this.whole) }),
      (this.pair?.a.human || this.pair?.b.human) && button(this.sharp ? "Blur people" : "Show people", "V",
        () => this.reveal(), { "aria-pressed": String(this.sharp), "data-key": "people" }),
    ];
  }

  draw() {
    const box = $("cards");
    box.classList.add("pairs");
    box.setAttribute("role", "group");
    box.removeAttribute("aria-multiselectable");
    const { pair } = this;
    this.state.tell("pair");
    if (!pair) {
      put(box, el("p", { class: "empty" }, this.pairs.length ? "No pair is left: all were looked at." : "No pair is left here."));
      return;
    }
    const title = pair.individual ? `Individual ${pair.individual}` : "That one";
    const [one, that] = this.zooms;
    put(box,
      el("p", { class: "question" },
        el("b", {}, "The same individual?"), " ", el("span", { class: "soft" }, "likely "), percent(pair.p),
        el("span", { class: "soft" }, ` · pair ${count(this.at + 1)} of ${count(Math.max(this.total, this.pairs.length))}`),
        pair.said && el("span", { class: "word" }, pair.said.decision, " (", name(pair.said.author), ")")),
      el("div", { class: "sides" }, this.side(one, pair.a, "This one"), this.side(that, pair.b, title)));
    tell(`Pair ${this.at + 1}: the same with probability ${percent(pair.p)}`);
  }

  side(zoom, card, title) {
    const source = pictureUrl(this.whole ? "whole" : "crop", card, this.sharp || this.isSharp(card));
    const same = zoom.image.getAttribute("src") === source;
    zoom.show(source, [title, card.site, time(card.time)].filter(Boolean).join(", "), { keep: same });
    return el("figure", { class: "side" }, zoom.stage,
      el("figcaption", {}, el("span", {}, el("b", {}, name(title)), " ", name(card.site), " ",
        el("span", { class: "soft" }, time(card.time))), zoom.buttons));
  }
}
