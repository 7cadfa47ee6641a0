// Two pictures side by side: the same individual, or two?

import { get } from "./api.js";
import { pictureUrl } from "./cards.js";
import { $, button, count, el, name, percent, put, tell, time } from "./dom.js";
import { Zoom } from "./zoom.js";

const LOADED = 20; // pairs that are asked for at once
const NOTICED = 700; // milliseconds after which a person may have seen another's word
const key = (p) => [p.a.id, p.b.id].sort().join(" ");
/** The word that counts, then those that differ. */
const words = (said) => (said ? [said, ...(said.others ?? [])] : []);
/** Whether a pair is to be looked at: nobody has decided it, or people disagree. */
const open = (p) => !p.said || p.said.others?.length > 0;

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
    this.mark = -1; // the newest decision that is known of here
    this.zooms = [new Zoom("This one"), new Zoom("That one")];
  }

  /** Begin with the pairs that nobody has decided. */
  async open() {
    this.active = true;
    const found = await get("/api/pairs", { n: LOADED });
    this.pairs = found.pairs;
    this.total = found.total;
    this.mark = found.mark;
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
    return this.total - this.pairs.filter((p) => !open(p)).length;
  }

  /** Decide the pair that is shown, and show the next: "same", "different" or "cannot tell". */
  say(word) {
    const { pair } = this;
    if (!pair || !this.actions.author()) return;
    const number = pair.said?.number ?? -1;
    const fresh = performance.now() - (pair.since ?? -NOTICED) < NOTICED;
    this.actions.match(pair.a.id, pair.b.id, word, fresh ? pair.before : number);
    pair.kept = pair.said;
    pair.said = { decision: word, author: "saving…", number, others: [] };
    this.step(1);
  }

  find(first, second) {
    return this.pairs.find((p) => key(p) === [first, second].sort().join(" "));
  }

  /** What people said of pairs meanwhile. */
  heard({ mark, pairs }) {
    this.mark = mark;
    for (const { first, second, said } of pairs) {
      const pair = this.find(first, second);
      if (!pair || pair.said?.author === "saving…" || pair.said?.number === said?.number) continue;
      Object.assign(pair, { before: pair.said?.number ?? -1, since: performance.now(), said });
      if (pair === this.pair) this.draw();
    }
    this.state.tell("pair");
  }

  /** Show the pair that a decision is about; what shows again where one was is given back. */
  look(request) {
    const pair = this.find(request.id, request.other);
    const before = this.at;
    const show = (at) => { this.at = at; this.draw(); };
    if (pair) show(this.pairs.indexOf(pair));
    return () => show(before);
  }

  /** The server has not stored a word: what others say stands, until ours comes beside it. */
  refused(request, conflicts = [], again = false) {
    const pair = request.kind === "match" && this.find(request.id, request.other);
    if (!pair) return;
    const [last] = conflicts.slice(-1);
    if (again) return;
    pair.said = last ? { decision: last.label, author: last.author, number: last.number, others: [] } : pair.kept;
    if (!last) this.at = this.pairs.indexOf(pair);
    this.draw();
  }

  async step(by) {
    const next = this.at + by;
    if (next < 0) return;
    if (next >= this.pairs.length && this.pairs.length < this.total) {
      const more = await get("/api/pairs", { n: LOADED, skip: this.pairs.filter(open).length }).catch(() => ({ pairs: [] }));
      const here = new Set(this.pairs.map(key));
      this.pairs.push(...more.pairs.filter((p) => !here.has(key(p))));
    }
    this.at = Math.min(next, this.pairs.length);
    this.sharp = false;
    this.draw();
  }

  /** The server has stored a word on a pair, or taken one back. */
  stored(answer, request) {
    const pair = answer.pair && this.find(answer.pair.first, answer.pair.second);
    if (!pair) return;
    pair.said = answer.pair.said;
    if (request.kind === "undo") this.at = this.pairs.indexOf(pair);
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
        ...words(pair.said).map((w) => el("span", { class: "word" }, w.decision, " (", name(w.author), ")"))),
      el("div", { class: "sides" }, this.side(one, pair.a, "This one"), this.side(that, pair.b, title)));
    const told = words(pair.said).map((w) => `, ${w.author} said ${w.decision}`).join("");
    tell(`Pair ${this.at + 1}: the same with probability ${percent(pair.p)}${told}`);
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
