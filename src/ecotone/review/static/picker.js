// Choose a class by a few letters, in any language that the project's taxonomy has.

import { get } from "./api.js";
import { $, el, name } from "./dom.js";

const DELAY = 60; // milliseconds after a letter

export class Picker {
  constructor() {
    this.dialog = $("picker");
    this.found = [];
    this.at = 0;
    this.asked = 0;
    this.input = el("input", {
      id: "picker-input", role: "combobox", "aria-expanded": "true", "aria-controls": "picker-list",
      "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", maxlength: "100",
      dir: "auto", oninput: () => this.typed(), onkeydown: (e) => this.key(e),
    });
    this.list = el("ul", { id: "picker-list", role: "listbox", "aria-label": "Classes" });
    this.fresh = el("form", { class: "fresh", hidden: true, onsubmit: (e) => this.create(e) });
    this.dialog.replaceChildren(
      el("h2", { id: "picker-title" }, "Class"),
      el("label", { for: "picker-input" }, "A few letters of its name, in any language"),
      this.input, this.list, this.fresh,
      el("p", { class: "hint" }, "Enter takes the marked one, arrows mark another, Esc closes."),
    );
    this.dialog.addEventListener("close", () => this.finish(null));
  }

  /** Ask for a class; null when the person does not want one. */
  ask(what, first = "") {
    $("picker-title").textContent = what;
    this.input.value = first;
    this.fresh.hidden = true;
    this.found = [];
    this.list.replaceChildren();
    this.dialog.showModal();
    this.input.focus();
    this.typed(0);
    return new Promise((resolve) => { this.resolve = resolve; });
  }

  finish(choice) {
    const { resolve } = this;
    this.resolve = null;
    if (this.dialog.open) this.dialog.close();
    resolve?.(choice);
  }

  typed(delay = DELAY) {
    clearTimeout(this.timer);
    this.pending = new Promise((done) => {
      this.timer = setTimeout(async () => {
        await this.look();
        done();
      }, delay);
    });
  }

  async look() {
    const number = (this.asked += 1);
    const text = this.input.value.trim();
    let names = [];
    try {
      names = (await get("/api/names", { q: text })).names;
      this.known = this.known ?? new Map();
      names.forEach((n) => this.known.set(n.label, n));
    } catch {
      // Offline: what was seen before still can be chosen.
      const low = text.toLowerCase();
      names = [...(this.known ?? new Map()).values()]
        .filter((n) => `${n.label} ${n.scientific}`.toLowerCase().includes(low)).slice(0, 12);
    }
    if (number !== this.asked) return;
    this.found = names.map((n) => ({ ...n, kind: n.special || "class" }));
    const same = names.some((n) => n.label.toLowerCase() === text.toLowerCase());
    if (text && !same) this.found.push({ label: text, kind: "new" });
    this.at = 0;
    this.show();
  }

  show() {
    this.list.replaceChildren(...this.found.map((n, i) => el("li", {
      id: `name-${i}`, role: "option", "aria-selected": String(i === this.at),
      onclick: () => this.take(i),
    }, ...this.words(n))));
    if (this.found.length) this.input.setAttribute("aria-activedescendant", `name-${this.at}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  words(n) {
    if (n.kind === "new") return [el("span", { class: "new" }, "New class: ", name(n.label))];
    return [
      el("span", { class: "label" }, name(n.label)),
      n.matched && el("span", { class: "matched" }, name(n.matched)),
      n.scientific && n.scientific !== n.label && el("i", {}, name(n.scientific)),
      n.kind === "class" && !n.local && el("span", { class: "tag" }, "not used here yet"),
    ];
  }

  async key(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const n = this.found.length;
      if (n) this.at = (this.at + (event.key === "ArrowDown" ? 1 : n - 1)) % n;
      this.show();
      $(`name-${this.at}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      event.preventDefault();
      await this.pending; // letters typed faster than names came
      this.take(this.at);
    }
  }

  take(i) {
    const chosen = this.found[i];
    if (!chosen) return;
    if (chosen.kind === "new") this.propose(chosen.label);
    else this.finish(chosen);
  }

  /** A new class is named on purpose, not by a slip of the keys. */
  propose(label) {
    this.fresh.hidden = false;
    this.fresh.replaceChildren(
      el("h3", {}, "A new class of this project"),
      el("label", {}, "Name", el("input", { name: "label", value: label, required: true,
        maxlength: "200", dir: "auto" })),
      el("label", {}, "Scientific name, if it has one", el("input", { name: "scientific",
        maxlength: "200", placeholder: "Genus species" })),
      el("button", { type: "submit", class: "primary" }, "Make this class"),
    );
    this.fresh.querySelector("input").focus();
  }

  create(event) {
    event.preventDefault();
    const data = new FormData(this.fresh);
    const label = String(data.get("label")).trim();
    if (!label) return;
    const scientific = String(data.get("scientific") ?? "").trim();
    this.finish({ label, scientific, vernacular: scientific ? label : "", kind: "class", local: false });
  }
}
