// One picture as large as the window, to look closely: the crop or the whole of it.

import { pictureUrl } from "./cards.js";
import { $, button, name, put, time, el } from "./dom.js";
import { Zoom } from "./zoom.js";

export class Viewer {
  constructor({ alt, closed }) {
    this.alt = alt;
    this.dialog = $("viewer");
    this.zoom = new Zoom("Picture");
    this.dialog.addEventListener("close", closed);
    this.dialog.addEventListener("keydown", (e) => {
      if (e.key.toLowerCase() !== "w" || e.ctrlKey || e.metaKey || e.altKey) return;
      e.preventDefault();
      this.turn();
    });
  }

  /** Show a card's picture large. */
  open(card, whole, sharp) {
    [this.card, this.whole, this.sharp] = [card, whole, sharp];
    this.draw();
    if (!this.dialog.open) this.dialog.showModal();
    this.zoom.reset();
    this.zoom.stage.focus();
  }

  turn() {
    this.whole = !this.whole;
    this.draw();
  }

  draw() {
    const { card } = this;
    this.zoom.show(pictureUrl(this.whole ? "whole" : "crop", card, this.sharp), this.alt(card));
    put(this.dialog, el("div", { class: "viewer-head" },
      el("h2", { id: "viewer-title" }, name(this.alt(card).split(", ")[0]),
        el("span", { class: "soft" }, ` ${[card.site, time(card.time)].filter(Boolean).join(", ")}`)),
      this.zoom.buttons,
      button("Whole picture", "W", () => this.turn(), { "aria-pressed": String(this.whole) }),
      button("Close", "Esc", () => this.dialog.close())), this.zoom.stage);
  }
}
