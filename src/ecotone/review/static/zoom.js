// A picture that can be made larger and moved: wheel, pinch, drag, double click, buttons and keys.

import { el } from "./dom.js";

const MOST = 12;
const FACTOR = 1.4;
const STEP = 60; // pixels of one press of an arrow key

/** A stage around a picture; `show(source, alt)` changes it and, unless told otherwise, starts anew. */
export class Zoom {
  constructor(label, ...over) {
    this.image = el("img", { alt: "", draggable: "false", onload: () => this.apply() });
    this.inner = el("div", { class: "zoomed" }, this.image, ...over);
    this.stage = el("div", {
      class: "zoom", tabindex: "0", role: "group", "aria-label": `${label}: plus, minus and arrows look closer`,
      onkeydown: (e) => this.key(e), ondblclick: (e) => this.double(e),
    }, this.inner);
    const at = (text, words, act) => el("button", { type: "button", "aria-label": `${words}: ${label}`, title: words, onclick: act }, text);
    this.buttons = el("span", { class: "zooming" }, at("−", "Smaller", () => this.by(1 / FACTOR)),
      at("+", "Larger", () => this.by(FACTOR)), at("1:1", "Whole", () => this.reset()));
    this.stage.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    this.stage.addEventListener("pointerdown", (e) => this.down(e));
    this.pointers = new Map();
    this.reset();
  }

  show(source, alt, { keep = false } = {}) {
    if (this.image.getAttribute("src") !== source) this.image.src = source;
    this.image.alt = alt;
    if (!keep) this.reset();
  }

  reset() {
    [this.scale, this.x, this.y] = [1, 0, 0];
    this.apply();
  }

  /** Larger by a factor about a point, in pixels from the middle of the stage. */
  by(factor, x = 0, y = 0) {
    const scale = Math.min(Math.max(this.scale * factor, 1), MOST);
    const real = scale / this.scale;
    this.x = x - (x - this.x) * real;
    this.y = y - (y - this.y) * real;
    this.scale = scale;
    this.apply();
  }

  apply() {
    const { clientWidth: w, clientHeight: h } = this.stage;
    const most = [((this.scale - 1) * w) / 2, ((this.scale - 1) * h) / 2];
    this.x = Math.min(Math.max(this.x, -most[0]), most[0]);
    this.y = Math.min(Math.max(this.y, -most[1]), most[1]);
    this.inner.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.stage.dataset.scale = this.scale.toFixed(2);
    this.stage.classList.toggle("closer", this.scale > 1);
  }

  middle(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
  }

  wheel(event) {
    event.preventDefault();
    this.by(Math.exp(-event.deltaY / 400), ...this.middle(event));
  }

  double(event) {
    if (this.scale > 1) this.reset();
    else this.by(3, ...this.middle(event));
  }

  down(event) {
    if (event.target.closest("button")) return;
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.stage.setPointerCapture(event.pointerId);
    this.stage.onpointermove = (e) => this.move(e);
    this.stage.onpointerup = (e) => this.pointers.delete(e.pointerId);
    this.stage.onpointercancel = this.stage.onpointerup;
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    if (other) {
      const far = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
      this.by(far(now) / far(before), ...this.middle(event));
    } else {
      this.x += now[0] - before[0];
      this.y += now[1] - before[1];
      this.apply();
    }
  }

  key(event) {
    const move = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (event.key === "+" || event.key === "=") this.by(FACTOR);
    else if (event.key === "-") this.by(1 / FACTOR);
    else if (event.key === "0") this.reset();
    else if (move && this.scale > 1) {
      this.x += move[0] * STEP;
      this.y += move[1] * STEP;
      this.apply();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
