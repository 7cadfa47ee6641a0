// Elements without markup in strings: names from data only ever become text.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(node.style, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child !== undefined && child !== null && child !== false) node.append(child);
  }
  return node;
}

/** An html element: attributes (on… are listeners, style an object), then children. */
export function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An svg element. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** The element of an id. */
export const $ = (id) => document.getElementById(id);

/** A share as percent, for people. */
export function percent(p, digits = 0) {
  return `${(100 * p).toFixed(digits)} %`;
}

/** A count with its separators. */
export const count = (n) => Number(n).toLocaleString("en");

/** A name in whatever direction it is written. */
export const name = (text, attributes) => el("bdi", attributes, text);

/** A local time as people read it. */
export const time = (text) => (text ? text.replace("T", " ").slice(0, 19) : "");
