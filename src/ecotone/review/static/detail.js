// The picture in focus: large, with its boxes, its burst, what the models say, where and when.

import { get } from "./api.js";
import { BoxView } from "./box.js";
import { pictureUrl, said } from "./cards.js";
import { $, el, name, percent, time } from "./dom.js";
import { siteMap } from "./map.js";

const DELAY = 120; // milliseconds that the focus must rest before its burst is asked for

export class Detail {
  constructor(state, actions) {
    this.state = state;
    this.actions = actions;
    this.root = $("detail");
    this.whole = false;
    this.sharp = false;
    this.sites = [];
    this.data = null;
    this.boxes = new BoxView({ onchoose: (id) => this.go(id) });
    state.on("focus", () => this.show());
    state.on("cards", (ids) => { if (ids.includes(state.focus)) this.draw(); });
  }

  async begin() {
    this.sites = (await get("/api/sites")).sites;
    this.draw();
  }

  /** Show the card in focus; what must be asked for comes a moment later. */
  show() {
    const id = this.state.focus;
    if (this.shown !== id) {
      this.shown = id;
      this.sharp = false;
      this.editing = null;
      this.boxes.done();
      if (!this.data?.burst.some((shot) => shot.cards.some((c) => c.id === id))) this.data = null;
    }
    this.draw();
    clearTimeout(this.timer);
    if (id) this.timer = setTimeout(() => this.ask(id), DELAY);
  }

  async ask(id) {
    try {
      const data = await get("/api/detail", { id });
      if (this.state.focus !== id) return;
      this.data = data;
      this.state.take(data.burst.flatMap((shot) => shot.cards));
      this.draw();
    } catch (error) {
      this.data = null;
    }
  }

  get card() {
    return this.state.cards.get(this.state.focus);
  }

  draw() {
    const { card } = this;
    if (this.editing) return;
    if (!card) {
      this.root.replaceChildren(el("p", { class: "hint" }, "Nothing in focus."));
      return;
    }
    const mine = this.data?.card.id === card.id ? this.data : null;
    this.root.replaceChildren(
      this.picture(card, mine), this.tools(card, mine), this.words(card),
      this.models(card), this.burst(card), this.place(card),
    );
  }

  alt(card) {
    const what = said(card)?.text ?? card.top[0]?.label ?? card.category;
    return `${what}, ${card.site}, ${time(card.time)}`;
  }

  picture(card, mine) {
    if (this.whole) {
      this.boxes.show(pictureUrl("whole", card, this.sharp), this.alt(card), mine?.boxes ?? [card], card.id);
      return this.boxes.node;
    }
    return el("div", { class: "large" },
      el("img", { src: pictureUrl("crop", card, this.sharp), alt: this.alt(card) }));
  }

  tools(card) {
    const blurred = card.human || this.data?.boxes.some((b) => b.human);
    return el("div", { class: "tools" },
      el("button", { type: "button", "aria-pressed": String(this.whole), onclick: () => this.toggleWhole() },
        "Whole picture"),
      blurred && el("button", { type: "button", "aria-pressed": String(this.sharp), onclick: () => this.reveal() },
        this.sharp ? "Blur people" : "Show people"),
      el("button", { type: "button", onclick: () => this.startBox(false) }, "Fix box"),
      el("button", { type: "button", onclick: () => this.startBox(true) }, "Add a box"),
      el("button", { type: "button", onclick: () => this.actions.similar(card.id) }, "More like this"));
  }

  words(card) {
    const spoken = said(card, this.state.pending.get(card.id));
    return el("div", { class: "about" },
      el("p", { class: `status ${spoken?.state ?? "open"}` },
        spoken ? [name(spoken.text), el("span", { class: "by" }, name(spoken.note))] : "Not decided"),
      card.others.length > 0 && el("ul", { class: "others", "aria-label": "Others say" },
        ...card.others.map((o) => el("li", {}, name(o.author), " says ", name(o.label), ", ",
          time(o.created)))));
  }

  models(card) {
    return el("section", { class: "models", "aria-label": "What the models say" },
      el("ol", {}, ...card.top.map((t, i) => el("li", {},
        el("button", { type: "button", onclick: () => this.actions.label({ label: t.label }) },
          el("kbd", {}, String(i + 1)), name(t.label, { class: "label" }), el("span", { class: "p" }, percent(t.p))),
        el("meter", { min: 0, max: 1, value: t.p, "aria-hidden": "true" })))),
      card.global && el("p", { class: "world" }, "Global model: ", name(card.global.label), " ",
        percent(card.global.p)));
  }

  burst(card) {
    const shots = this.data?.burst ?? [];
    if (shots.length < 2) return null;
    const ids = shots.flatMap((shot) => shot.cards.map((c) => c.id));
    return el("section", { class: "burst", "aria-label": "Burst" },
      el("h3", {}, `Burst of ${shots.length} pictures`),
      el("div", { class: "strip", role: "list" }, ...shots.map((shot) => {
        const first = shot.cards.find((c) => c.id === card.id) ?? shot.cards[0];
        if (!first) return null;
        const now = this.state.cards.get(first.id) ?? first;
        const word = said(now, this.state.pending.get(first.id))?.text ?? now.top[0]?.label ?? "";
        return el("div", { role: "listitem" }, el("button", {
          type: "button", class: shot.media === card.media ? "shot here" : "shot",
          "aria-current": shot.media === card.media ? "true" : undefined,
          "aria-label": `${time(shot.time)} ${word}`, onclick: () => this.go(first.id),
        }, el("img", { src: pictureUrl("strip", first), alt: "", loading: "lazy" }), name(word)));
      })),
      el("button", { type: "button", onclick: () => this.actions.wholeBurst(ids) }, "Decide the whole burst (E)"));
  }

  place(card) {
    const map = siteMap(this.sites, card.site);
    return el("section", { class: "place", "aria-label": "Place and time" },
      el("p", {}, el("span", { class: "time" }, time(card.time) || "no time"), " ",
        card.site && el("button", { type: "button", class: "link", onclick: () => this.actions.site(card.site) },
          name(card.site))),
      map ?? el("p", { class: "hint" }, "No site has coordinates: ecotone add deployments FILE"),
      el("p", { class: "file" }, name(card.file)));
  }

  /** Focus on a detection that may not be in the queue. */
  go(id) {
    this.state.setFocus(id, { scroll: true });
  }

  toggleWhole() {
    this.whole = !this.whole;
    this.draw();
  }

  reveal() {
    this.sharp = !this.sharp;
    if (this.sharp) this.actions.reveal(this.state.focus);
    this.draw();
  }

  /** The ids of the burst in focus. */
  burstIds() {
    const mine = this.data?.burst ?? [];
    return mine.flatMap((shot) => shot.cards.map((c) => c.id));
  }

  async startBox(add) {
    const { card } = this;
    if (!card) return;
    this.whole = true;
    this.draw();
    this.editing = { id: card.id, add };
    this.boxes.edit(add ? [0.3, 0.3, 0.4, 0.4] : card.bbox);
    const tools = this.root.querySelector(".tools");
    tools.replaceChildren(
      el("button", { type: "button", class: "primary", onclick: () => this.saveBox() }, "Save box"),
      el("button", { type: "button", onclick: () => this.cancelBox() }, "Cancel"));
  }

  saveBox() {
    const { editing } = this;
    const box = this.boxes.done();
    this.editing = null;
    if (editing && box) this.actions.box(editing.id, box, editing.add);
    this.draw();
  }

  cancelBox() {
    this.boxes.done();
    this.editing = null;
    this.draw();
  }
}
