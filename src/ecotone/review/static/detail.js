// The picture in focus: large, with its boxes, its burst, what the models say, where and when.

import { get } from "./api.js";
import { BoxView } from "./box.js";
import { pictureUrl, said } from "./cards.js";
import { $, el, name, percent, put, time } from "./dom.js";
import { siteMap } from "./map.js";

const PLAY = 400; // milliseconds that each frame of a video is shown
const DELAY = 120; // milliseconds that the focus must rest before its burst is asked for

export class Detail {
  constructor(state, actions) {
    this.state = state;
    this.actions = actions;
    this.root = $("detail");
    this.whole = false;
    this.sharp = false;
    this.sites = [];
    this.blurs = true;
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
      put(this.root, el("p", { class: "hint" }, "No picture is in focus."));
      return;
    }
    const mine = this.data?.card.id === card.id ? this.data : null;
    put(this.root, this.picture(card, mine), this.words(card), this.tools(card, mine),
      this.models(card), this.burst(card), this.place(card));
  }

  alt(card) {
    const what = said(card)?.text ?? card.top[0]?.label ?? card.category;
    const frame = card.frame >= 0 ? `, frame ${card.frame} of a video` : "";
    return `${what}, ${card.site}, ${time(card.time)}${frame}`;
  }

  picture(card, mine) {
    if (this.whole) {
      this.boxes.show(pictureUrl("whole", card, this.sharp), this.alt(card), mine?.boxes ?? [card], card.id);
      return this.boxes.node;
    }
    const image = el("img", { src: pictureUrl("crop", card, this.sharp), alt: this.alt(card) });
    image.addEventListener("dblclick", () => this.actions.enlarge());
    return el("div", { class: "large" }, image);
  }

  tools(card) {
    const blurred = this.blurs && (card.human || this.data?.boxes.some((b) => b.human));
    const tool = (text, key, act, more = {}) => el("button", {
      type: "button", "data-key": text, title: `${text} (${key})`, onclick: act, ...more }, text);
    return el("div", { class: "tools", role: "group", "aria-label": "Look closer" },
      tool("Enlarge", "L", () => this.actions.enlarge(), { "aria-haspopup": "dialog" }),
      tool("Whole picture", "W", () => this.toggleWhole(), { "aria-pressed": String(this.whole) }),
      blurred && tool(this.sharp ? "Blur people" : "Show people", "S", () => this.reveal(),
        { "aria-pressed": String(this.sharp), "data-key": "people" }),
      tool("Fix box", "F", () => this.startBox(false)),
      tool("Add a box", "D", () => this.startBox(true)),
      tool("More like this", "M", () => this.actions.similar(card.id)));
  }

  words(card) {
    const spoken = said(card, this.state.pending.get(card.id));
    return el("div", { class: "about" },
      el("p", { class: `status ${spoken?.state ?? "open"}` },
        spoken ? [name(spoken.text), el("span", { class: "by" }, name(card.label && spoken.state === "disputed" ? card.label.author : spoken.note))] : "Not decided"),
      this.state.reasons[card.id] && el("p", { class: "hint" }, name(this.state.reasons[card.id])),
      card.others.length > 0 && el("ul", { class: "others", "aria-label": "Others say" },
        ...card.others.map((o) => el("li", {}, name(o.author), " says ", name(o.label), ", ",
          time(o.created)))));
  }

  models(card) {
    if (!card.top.length && !card.global) {
      return el("p", { class: "hint" }, "No model has said anything yet: ecotone classify, then ecotone fuse.");
    }
    return el("section", { class: "models", "aria-label": "What the models say" },
      el("ol", {}, ...card.top.map((t, i) => el("li", {},
        el("button", { type: "button", "data-key": `top-${i}`, onclick: () => this.actions.label({ label: t.label }) },
          el("kbd", { "aria-hidden": "true" }, String(i + 1)), name(t.label, { class: "label" }),
          el("span", { class: "p" }, percent(t.p)),
          el("span", { class: "sure", style: { width: `${100 * t.p}%` } }))))),
      card.global && el("p", { class: "world" }, "Global model: ", name(card.global.label), " ",
        percent(card.global.p)));
  }

  burst(card) {
    const shots = this.data?.burst ?? [];
    if (shots.length < 2) return null;
    const ids = shots.flatMap((shot) => shot.cards.map((c) => c.id));
    const video = this.data.video;
    return el("section", { class: "burst", "aria-label": video ? "Video" : "Burst" },
      el("h3", {}, video ? `Video, ${shots.length} frames` : `Burst of ${shots.length} pictures`,
        video && el("button", { type: "button", "data-key": "play", onclick: () => this.play() },
          this.playing ? "Stop" : "Play"),
        el("button", { type: "button", "data-key": "burst", onclick: () => this.actions.wholeBurst(ids) },
          "Decide all", el("kbd", { "aria-hidden": "true" }, "E"))),
      el("div", { class: "strip", role: "list", tabindex: "0", "aria-label": video ? "Frames of the video" : "Pictures of the burst" }, ...shots.map((shot) => {
        const first = shot.cards.find((c) => c.id === card.id) ?? shot.cards[0];
        if (!first) return null;
        const now = this.state.cards.get(first.id) ?? first;
        const word = said(now, this.state.pending.get(first.id))?.text ?? now.top[0]?.label ?? "";
        return el("div", { role: "listitem" }, el("button", {
          type: "button", class: shot.shot === card.shot ? "shot here" : "shot",
          "aria-current": shot.shot === card.shot ? "true" : undefined,
          "aria-label": `${video ? `frame ${shot.frame}` : time(shot.time)} ${word}`, onclick: () => this.go(first.id),
        }, el("img", { src: pictureUrl("strip", first), alt: "", loading: "lazy" }), name(word, { title: word })));
      })));
  }

  place(card) {
    const map = siteMap(this.sites, card.site);
    return el("section", { class: "place", "aria-label": "Place and time" },
      el("p", {}, el("span", { class: "time" }, time(card.time) || "no time"), " ",
        card.site && el("button", { type: "button", class: "link", onclick: () => this.actions.site(card.site) },
          name(card.site))),
      map ?? el("p", { class: "hint" }, "No site has coordinates: ecotone add deployments FILE"),
      el("p", { class: "file" }, name(card.file), card.frame >= 0 && `, frame ${card.frame}`));
  }

  /** Show the frames of a video one after the other; a second press, or another focus, ends it. */
  play() {
    const shots = (this.data?.burst ?? []).filter((shot) => shot.cards.length);
    if (this.playing || shots.length < 2) {
      this.stop();
      return;
    }
    const id = this.state.focus;
    let at = 0;
    this.playing = setInterval(() => {
      const image = this.root.querySelector(".large img, img.whole");
      if (this.state.focus !== id || !image) {
        this.stop();
        return;
      }
      image.src = pictureUrl("whole", shots[at % shots.length].cards[0], this.sharp);
      at += 1;
    }, PLAY);
    this.draw();
  }

  stop() {
    clearInterval(this.playing);
    this.playing = null;
    this.draw();
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

  startBox(add) {
    const { card } = this;
    if (!card) return;
    this.whole = true;
    this.draw();
    this.editing = { id: card.id, add };
    this.boxes.edit(add ? [0.3, 0.3, 0.4, 0.4] : card.bbox);
    this.boxes.frame.addEventListener("keydown", (e) => {
      if (e.key === "Enter") this.saveBox();
      else if (e.key === "Escape") this.cancelBox();
      else return;
      e.preventDefault();
      e.stopPropagation();
    });
    put(this.root.querySelector(".tools"),
      el("button", { type: "button", class: "primary", onclick: () => this.saveBox() }, "Save box",
        el("kbd", { "aria-hidden": "true" }, "⏎")),
      el("button", { type: "button", onclick: () => this.cancelBox() }, "Cancel", el("kbd", { "aria-hidden": "true" }, "Esc")),
      el("p", { class: "hint" }, "Drag it, or arrows to move and Shift + arrows to size it."));
  }

  saveBox() {
    const { editing } = this;
    const box = this.boxes.done();
    this.editing = null;
    if (editing && box) this.actions.box(editing.id, box, editing.add);
    this.draw();
    this.actions.back();
  }

  cancelBox() {
    this.boxes.done();
    this.editing = null;
    this.draw();
    this.actions.back();
  }
}
