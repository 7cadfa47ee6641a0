// Two pictures side by side: the same individual, or two?

import { get } from "./api.js";
import { pictureUrl } from "./cards.js";
import { $, el, name, percent, time } from "./dom.js";

const LOADED = 20; // pairs that are asked for at once

export class Matches {
  constructor(state, actions, { picture }) {
    this.state = state;
    this.actions = actions;
    this.isSharp = picture;
    this.active = false;
    this.pairs = [];
    this.at = 0;
    this.total = 0;
  }

  /** Begin with the pairs that nobody has decided. */
  async open() {
    this.active = true;
    const found = await get("/api/pairs", { n: LOADED });
    this.pairs = found.pairs;
    this.total = found.total;
    this.at = 0;
    this.draw();
  }

  close() {
    if (!this.active) return;
    this.active = false;
    $("cards").classList.remove("pairs");
    $("cards").setAttribute("role", "listbox");
  }

  get pair() {
    return this.pairs[this.at];
  }

  /** Decide the pair that is shown, and show the next. */
  say(same) {
    const { pair } = this;
    if (!pair || !this.actions.author()) return;
    this.actions.match(pair.a.id, pair.b.id, same);
    pair.said = { decision: same ? "same" : "different", author: "saving…" };
    this.step(1);
  }

  async step(by) {
    const next = this.at + by;
    if (next < 0) return;
    if (next >= this.pairs.length && this.pairs.length < this.total) {
      const open = this.pairs.filter((p) => !p.said).length;
      const more = await get("/api/pairs", { n: LOADED, skip: open });
      const here = new Set(this.pairs.map((p) => `${p.a.id} ${p.b.id}`));
      this.pairs.push(...more.pairs.filter((p) => !here.has(`${p.a.id} ${p.b.id}`)));
    }
    this.at = Math.min(next, this.pairs.length);
    this.draw();
  }

  /** The server has stored a word on a pair, or taken one back. */
  stored(answer, request) {
    const undone = request.kind === "undo";
    const target = request.kind === "match" ? request : answer.target;
    const at = this.pairs.findIndex((p) => target
      && [target.id ?? target.detections?.[0], target.other ?? target.detections?.[1]].includes(p.a.id)
      && [target.id ?? target.detections?.[0], target.other ?? target.detections?.[1]].includes(p.b.id));
    if (at < 0) return;
    const pair = this.pairs[at];
    pair.said = undone ? null : { decision: pair.said?.decision ?? "decided", author: answer.decision?.author ?? "" };
    if (undone) this.at = at;
    this.draw();
  }

  draw() {
    const box = $("cards");
    box.classList.add("pairs");
    box.setAttribute("role", "group");
    const { pair } = this;
    if (!pair) {
      box.replaceChildren(el("p", { class: "hint" }, "No pair is left here."));
      return;
    }
    const side = (card, title) => el("figure", { class: "side" },
      el("img", { src: pictureUrl("crop", card, this.isSharp(card)), alt: `${title}, ${card.site}, ${time(card.time)}` }),
      el("figcaption", {}, el("b", {}, title), " ", name(card.site), " ", time(card.time)));
    box.replaceChildren(
      el("div", { class: "sides" }, side(pair.a, "This one"),
        side(pair.b, pair.individual ? `Individual ${pair.individual}` : "That one")),
      el("p", { class: "question", role: "status" },
        `Pair ${this.at + 1} of ${Math.max(this.total, this.pairs.length)}: the same with probability ${percent(pair.p)}`,
        pair.said && el("b", { class: "word" }, ` — ${pair.said.decision} (`, name(pair.said.author), ")")));
  }
}
