// Head and side of the page: queues with what is left, filters, how good it is and how it grew.

import { $, count, el, name, percent, svg } from "./dom.js";

const WIDTH = 96;
const HEIGHT = 28;

/** The queues; `choose(queue)` opens one. */
export function showQueues(queues, current, choose) {
  $("queues").replaceChildren(el("ul", {}, ...queues.map((q) => el("li", {},
    el("button", {
      type: "button", "data-queue": q.queue, title: q.what,
      "aria-current": q.queue === current ? "page" : undefined, onclick: () => choose(q.queue),
    }, el("span", {}, q.title), el("span", { class: "n" }, count(q.left)))))));
}

/** How much is labelled and how much is left. */
export function showProgress(state) {
  const { labelled, detections } = state;
  $("progress").replaceChildren(
    el("progress", { max: Math.max(detections, 1), value: labelled, "aria-label": "Labelled" }),
    el("span", {}, el("b", {}, count(labelled)), " labelled, ",
      el("b", {}, count(detections - labelled)), " left"));
}

/** Accuracy on held-out labels, how it grew, what 50 more labels bring, and what runs now. */
export function showLearning(state, learn) {
  const { learning, history, gain } = state;
  const last = history[history.length - 1];
  const before = history[history.length - 2];
  const parts = [];
  if (last) {
    const grew = before ? last.accuracy - before.accuracy : null;
    parts.push(el("span", { title: "on labels that were held out" }, el("b", {}, percent(last.accuracy, 1)), " right",
      grew !== null && ` (${grew >= 0 ? "+" : "−"}${Math.abs(100 * grew).toFixed(1)})`));
    parts.push(sparkline(history));
  } else parts.push(el("span", {}, "Not fused yet"));
  parts.push(foretold(gain));
  parts.push(running(learning, learn));
  $("learning").replaceChildren(...parts);
}

function foretold(gain) {
  if (gain.gain === null) return el("span", { class: "gain" }, gain.why || "50 more labels: told after the first questions");
  const points = (v) => `${v >= 0 ? "+" : "−"}${Math.abs(100 * v).toFixed(1)}`;
  return el("span", { class: "gain", title: gain.why },
    `${gain.more} more labels: ${points(gain.gain)} pts (${points(gain.low)} to ${points(gain.high)})`);
}

function running(learning, learn) {
  if (learning.state === "running") {
    return el("span", { class: "busy" }, learning.message === "suggest" ? "choosing questions…" : "learning…");
  }
  const text = learning.new ? `Learn now (${count(learning.new)} new)` : "Learn now";
  return el("span", {},
    el("button", { type: "button", onclick: learn }, text),
    learning.state === "failed" && el("span", { class: "failed" }, " ", learning.message));
}

function sparkline(history) {
  const xs = history.map((h) => h.labels);
  const ys = history.map((h) => h.accuracy);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const [y0, y1] = [Math.min(...ys), Math.max(...ys)];
  const at = (x, y) => [
    3 + ((WIDTH - 6) * (x - x0)) / Math.max(x1 - x0, 1),
    HEIGHT - 4 - ((HEIGHT - 8) * (y - y0)) / Math.max(y1 - y0, 1e-9),
  ];
  const points = history.map((h) => at(h.labels, h.accuracy).map((v) => v.toFixed(1)));
  const [cx, cy] = points[points.length - 1];
  const words = history.map((h) => `${h.labels} labels: ${percent(h.accuracy, 1)}`).join(", ");
  return svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words },
    svg("title", {}, words),
    svg("polyline", { points: points.map((p) => p.join(",")).join(" ") }),
    svg("circle", { cx, cy, r: 2.5 }));
}

/** The filters of a queue; `change(filter)` is called with all of them. */
export function showFilters(state, now, change) {
  const option = (value, text, chosen) => el("option", { value, selected: value === chosen }, text);
  const read = () => {
    const data = new FormData($("filters"));
    change(Object.fromEntries([...data].map(([k, v]) => [k, String(v)])));
  };
  const more = now.queue === "similar";
  const groups = state.queues.find((q) => q.queue === now.queue)?.groups ?? [];
  $("filters").onsubmit = (event) => event.preventDefault();
  $("filters").onchange = read;
  $("filters").replaceChildren(
    ...(groups.length ? [el("label", {}, "Group ", el("select", { name: "group" },
      option("", `all ${groups.length}`, now.group ?? ""),
      ...groups.map((g) => option(g.group, `${g.group} (${g.left} open)`, now.group))))] : []),
    el("label", {}, "Class ", el("select", { name: "name" }, option("", "any", now.name ?? ""),
      ...state.classes.map((c) => option(c.label, c.labelled ? `${c.label} (${c.labelled})` : c.label, now.name)))),
    el("label", {}, "Site ", el("select", { name: "site" }, option("", "any", now.site ?? ""),
      ...state.sites.map((s) => option(s, s, now.site)))),
    el("label", {}, "From ", el("input", { type: "date", name: "start", value: now.start ?? "" })),
    el("label", {}, "until ", el("input", { type: "date", name: "end", value: now.end ?? "" })),
    el("label", {}, "Show ", el("select", { name: "show" },
      option("", more ? "all" : "as the queue", now.show ?? ""), option("open", "not labelled", now.show),
      option("labelled", "labelled", now.show), option("all", "all", now.show))));
}

/** Whether the server is there, and what waits for it. */
export function showLink(waiting, online, locked) {
  const link = $("link");
  link.className = online ? "link on" : "link off";
  link.textContent = online ? (waiting ? `saving ${waiting}…` : "all saved") : "offline";
  const banner = $("banner");
  if (online) {
    banner.hidden = true;
    return;
  }
  banner.hidden = false;
  const kept = waiting ? `${waiting} ${waiting === 1 ? "decision waits" : "decisions wait"} in this browser and will be sent`
    : "Nothing is lost";
  banner.textContent = locked
    ? `The server wants its token: open the address that it printed. ${kept}.`
    : `No connection to the server. ${kept} when it is back. Go on as you like.`;
}

/** Say something for a moment. */
export function toast(text, kind = "") {
  const node = $("toast");
  node.replaceChildren(name(text));
  node.className = `toast show ${kind}`;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { node.className = "toast"; }, 4500);
}
