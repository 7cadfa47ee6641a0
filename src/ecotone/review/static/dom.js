// Elements without markup in strings: names from data only ever become text.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(node.style, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...real(children));
  return node;
}

const real = (children) => children.flat().filter((c) => c !== undefined && c !== null && c !== false);

/** An html element: attributes (on… are listeners, style an object), then children. */
export function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An svg element. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

const drawn = new WeakMap();

/** Put children in the place of those of before. The focus stays on what has the same `data-key`. */
export function put(node, ...children) {
  const active = node.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  node.replaceChildren(...real(children));
  if (active) node.querySelector(`[data-key="${CSS.escape(active)}"]`)?.focus({ preventScroll: true });
}

/** `put` what `make()` gives, but only when `from` differs from the last time: what is drawn anew
 * loses its place for those who listen to it. */
export function redraw(node, from, make) {
  const text = JSON.stringify(from);
  if (drawn.get(node) === text) return;
  drawn.set(node, text);
  put(node, ...make());
}

/** A button of a bar, with the key that does the same. */
export function button(text, key, act, more = {}) {
  return el("button", { type: "button", onclick: act, "data-key": text.split(" ")[0], ...more },
    text, key && el("kbd", { "aria-hidden": "true" }, key));
}

/** The element of an id. */
export const $ = (id) => document.getElementById(id);

/** A share as percent, for people. */
export function percent(p, digits = 0) {
  return `${(100 * p).toFixed(digits)} %`;
}

/** A difference of shares in percentage points. */
export const points = (v) => `${v >= 0 ? "+" : "−"}${Math.abs(100 * v).toFixed(1)}`;

/** A count with its separators. */
export const count = (n) => Number(n).toLocaleString("en");

/** A name in whatever direction it is written. */
export const name = (text, attributes) => el("bdi", attributes, text);

/** A local time as people read it. */
export const time = (text) => (text ? text.replace("T", " ").slice(0, 19) : "");

/** Tell those who listen to the page. */
export function tell(text) {
  const node = $("told");
  node.textContent = node.textContent === text ? `${text}\u00a0` : text;
}
