// How good it is on held-out labels, how that grew, and what more labels are expected to bring.

import { $, count, el, percent, points, redraw, svg } from "./dom.js";

const SMALL = { width: 84, height: 30, left: 4, right: 4, top: 5, low: 5 };
const LARGE = { width: 520, height: 240, left: 60, right: 16, top: 14, low: 40 };

/** Accuracy, how it grew, what 50 more labels bring, and what runs now, in the head of the page. */
export function showLearning(state, learn) {
  const { learning, history, gain } = state;
  redraw($("learning"), [learning, history, gain], () => {
    const last = history[history.length - 1];
    const before = history[history.length - 2];
    return [
      last ? accuracy(last, before, history, gain) : el("span", { class: "soft" }, "Not fused yet"),
      foretold(gain),
      running(learning, learn),
    ];
  });
  if ($("curve").open) fillCurve(history, gain);
}

function accuracy(last, before, history, gain) {
  const grew = before ? last.accuracy - before.accuracy : null;
  const words = `${percent(last.accuracy, 1)} right on held-out labels; how it grew`;
  return el("button", {
    type: "button", class: "plain accuracy", "data-key": "curve", "aria-haspopup": "dialog", title: words,
    "aria-label": words, onclick: () => openCurve(history, gain),
  }, el("b", {}, percent(last.accuracy, 1)), " right",
  grew !== null && el("span", { class: grew >= 0 ? "up" : "down" }, points(grew)),
  history.length > 1 && plot(SMALL, history, null));
}

function foretold(gain) {
  if (gain.gain === null) return el("span", { class: "soft", title: gain.why }, gain.why || "50 more labels: told after the first questions");
  return el("span", { class: "soft", title: `${points(gain.low)} to ${points(gain.high)} points, ${gain.why}` },
    `${gain.more} more labels: `, el("b", {}, `${points(gain.gain)} points`),
    ` (${points(gain.low)} to ${points(gain.high)})`);
}

function running(learning, learn) {
  if (learning.state === "running") {
    return el("span", { class: "busy" }, learning.message === "suggest" ? "choosing questions…" : "learning…");
  }
  const text = learning.new ? `Learn now (${count(learning.new)} new)` : "Learn now";
  return el("span", {},
    el("button", { type: "button", "data-key": "learn", onclick: learn }, text),
    learning.state === "failed" && el("span", { class: "failed" }, " ", learning.message));
}

function openCurve(history, gain) {
  fillCurve(history, gain);
  $("curve").showModal();
}

function fillCurve(history, gain) {
  const rows = history.slice(-12).reverse();
  redraw($("curve"), [history, gain], () => [
    el("h2", { id: "curve-title" }, "How good it is, and how it grew"),
    el("p", { class: "hint" }, "Share of held-out labels that the fused model gets right, by labels it learned from."),
    plot(LARGE, history, gain),
    el("p", {}, gain.gain === null ? gain.why
      : `The next ${gain.more} labels are expected to bring ${points(gain.gain)} points (${points(gain.low)} to ${points(gain.high)}).`),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Fusions" }, el("table", {},
      el("thead", {}, el("tr", {}, ...["Labels", "Right", "Mean of classes", "Finished"].map((t) => el("th", { scope: "col" }, t)))),
      el("tbody", {}, ...rows.map((h) => el("tr", {}, el("td", {}, count(h.labels)), el("td", {}, percent(h.accuracy, 1)),
        el("td", {}, percent(h.per_class, 1)), el("td", {}, String(h.finished).replace("T", " ").slice(0, 16))))))),
    el("p", { class: "buttons" }, el("button", { type: "button", class: "primary", "data-key": "close",
      onclick: () => $("curve").close() }, "Close")),
  ]);
}

/** Accuracy over labels as a line; with `gain`, where it is expected to go. */
function plot(size, history, gain) {
  const large = size === LARGE;
  const last = history[history.length - 1];
  const next = large && gain && gain.gain !== null
    ? { x: last.labels + gain.more, y: last.accuracy + gain.gain, low: last.accuracy + gain.low, high: last.accuracy + gain.high } : null;
  const xs = [...history.map((h) => h.labels), ...(next ? [next.x] : [])];
  const ys = [...history.map((h) => h.accuracy), ...(next ? [next.low, next.high].map((v) => Math.min(Math.max(v, 0), 1)) : [])];
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const edge = large ? 0.02 : 0;
  const [y0, y1] = [Math.max(Math.min(...ys) - edge, 0), Math.min(Math.max(...ys) + edge, 1)];
  const px = (x) => size.left + ((size.width - size.left - size.right) * (x1 > x0 ? (x - x0) / (x1 - x0) : 0.5));
  const py = (y) => size.height - size.low - ((size.height - size.low - size.top) * (y1 > y0 ? (Math.min(Math.max(y, 0), 1) - y0) / (y1 - y0) : 0.5));
  const at = history.map((h) => `${px(h.labels).toFixed(1)},${py(h.accuracy).toFixed(1)}`);
  const words = history.map((h) => `${h.labels} labels: ${percent(h.accuracy, 1)}`).join(", ");
  const dots = (large ? history : [last]).map((h) => svg("circle", { cx: px(h.labels), cy: py(h.accuracy), r: large ? 3.5 : 2.8 }));
  return svg("svg", {
    class: large ? "plot" : "spark", viewBox: `0 0 ${size.width} ${size.height}`,
    ...(large ? { role: "img", "aria-label": words } : { "aria-hidden": "true" }),
  }, ...(large ? axes(size, px, py, [x0, x1], [y0, y1]) : []),
  next && svg("path", { class: "guess", d: `M${px(last.labels)} ${py(last.accuracy)}L${px(next.x)} ${py(next.y)}` }),
  next && svg("path", { class: "spread", d: `M${px(next.x)} ${py(next.low)}V${py(next.high)}` }),
  history.length > 1 && svg("polyline", { points: at.join(" ") }), ...dots);
}

function axes(size, px, py, [x0, x1], [y0, y1]) {
  const levels = y1 > y0 ? [0, 0.5, 1].map((t) => y0 + t * (y1 - y0)) : [y0];
  return [
    ...levels.flatMap((y) => [
      svg("path", { class: "rule", d: `M${size.left} ${py(y)}H${size.width - size.right}` }),
      svg("text", { x: size.left - 8, y: py(y) + 4, "text-anchor": "end" }, percent(y, 1)),
    ]),
    ...[...new Set([x0, x1])].map((x) => svg("text", { x: px(x), y: size.height - 20,
      "text-anchor": x1 === x0 ? "middle" : x === x0 ? "start" : "end" }, count(x))),
    svg("text", { x: (size.left + size.width - size.right) / 2, y: size.height - 6, "text-anchor": "middle" }, "labels"),
  ];
}
