// Boxes on the whole picture: shown, moved and drawn anew, with the mouse, a finger or the keys.

import { el } from "./dom.js";

const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const LEAST = 0.01; // shortest side, share of the picture
const STEP = 0.005; // of one press of an arrow key

const clamp = (v, low, high) => Math.min(Math.max(v, low), high);

/** A box after one of its edges (letters of the compass; "" = all of it) moved by dx, dy. */
export function moved([x, y, w, h], edge, dx, dy) {
  let [left, top, right, low] = [x, y, x + w, y + h];
  if (!edge) {
    left = clamp(x + dx, 0, 1 - w);
    top = clamp(y + dy, 0, 1 - h);
    return [left, top, w, h];
  }
  if (edge.includes("w")) left = clamp(left + dx, 0, right - LEAST);
  if (edge.includes("e")) right = clamp(right + dx, left + LEAST, 1);
  if (edge.includes("n")) top = clamp(top + dy, 0, low - LEAST);
  if (edge.includes("s")) low = clamp(low + dy, top + LEAST, 1);
  return [left, top, right - left, low - top];
}

function place(node, [x, y, w, h]) {
  Object.assign(node.style, {
    left: `${100 * x}%`, top: `${100 * y}%`, width: `${100 * w}%`, height: `${100 * h}%`,
  });
}

const isWhole = (box) => box[2] > 0.999 && box[3] > 0.999;

/** The whole picture with its boxes. `edit` = the box that is being fixed, or null. */
export class BoxView {
  constructor({ onchoose }) {
    this.onchoose = onchoose;
    this.image = el("img", { class: "whole", alt: "" });
    this.layer = el("div", { class: "layer" });
    this.node = el("div", { class: "stage" }, this.image, this.layer);
    this.editing = null;
  }

  /** Show a picture; boxes: cards of the picture; id: the one in focus. */
  show(source, alt, boxes, id) {
    if (this.image.getAttribute("src") !== source) this.image.src = source;
    this.image.alt = alt;
    this.layer.replaceChildren(...boxes.filter((b) => !isWhole(b.bbox) || b.id === id).map((b) => {
      const node = el("button", {
        type: "button", class: b.id === id ? "box current" : "box",
        "aria-label": `Box: ${b.label?.label ?? b.top[0]?.label ?? b.category}`,
        onclick: () => this.onchoose(b.id),
      });
      place(node, b.bbox);
      return node;
    }));
  }

  /** Let a box be changed; `box` is its first place. */
  edit(box) {
    this.editing = isWhole(box) ? [0.25, 0.25, 0.5, 0.5] : [...box];
    const node = el("div", {
      class: "edit", tabindex: "0", role: "application",
      "aria-label": "Box: arrows move it, Shift and arrows change its size",
      onkeydown: (e) => this.key(e),
    }, ...HANDLES.map((edge) => el("span", { class: `handle ${edge}`, "data-edge": edge })));
    node.addEventListener("pointerdown", (e) => this.drag(e));
    this.frame = node;
    this.layer.replaceChildren(node);
    place(node, this.editing);
    node.focus();
  }

  /** Stop changing; the box as it is now. */
  done() {
    const box = this.editing;
    this.editing = null;
    this.frame = null;
    return box;
  }

  drag(event) {
    event.preventDefault();
    const edge = event.target.dataset.edge ?? "";
    const size = this.layer.getBoundingClientRect();
    const start = [...this.editing];
    const from = [event.clientX, event.clientY];
    const move = (e) => {
      if (!this.editing) return;
      this.editing = moved(start, edge, (e.clientX - from[0]) / size.width, (e.clientY - from[1]) / size.height);
      place(this.frame, this.editing);
    };
    const end = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
    this.frame.focus();
  }

  key(event) {
    const by = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    this.editing = moved(this.editing, event.shiftKey ? "se" : "", ...by);
    place(this.frame, this.editing);
  }
}
