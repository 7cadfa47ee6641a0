// Head and side of the page: queues with what is left, filters, whether the server is there.

import { $, count, el, name, put, redraw } from "./dom.js";

const GROUPS = [
  ["Label", ["next", "uncertain", "novel", "clusters"]],
  ["Check", ["changed", "refined", "people", "model", "repeats", "matches"]],
  ["Browse", ["all"]],
];

let shown = ""; // the queue that was brought into sight

/** The queues by what they are for; `choose(queue)` opens one. */
export function showQueues(queues, current, choose) {
  const grouped = new Set(GROUPS.flatMap(([, keys]) => keys));
  const groups = GROUPS.map(([title, keys]) => [title, queues.filter((q) => keys.includes(q.queue))]);
  groups[groups.length - 1][1].push(...queues.filter((q) => !grouped.has(q.queue)));
  const one = (q) => el("li", {}, el("button", {
    type: "button", "data-queue": q.queue, "data-key": q.queue, title: q.what, class: q.left ? "" : "none",
    "aria-current": q.queue === current ? "page" : undefined, onclick: () => choose(q.queue),
  }, el("span", {}, q.title), el("span", { class: "n" }, count(q.left))));
  redraw($("queues"), [queues, current], () => groups.filter(([, found]) => found.length).map(
    ([title, found]) => el("section", {}, el("h2", { id: `group-${title}` }, title),
      el("ul", { "aria-labelledby": `group-${title}` }, ...found.map(one)))));
  if (shown !== current) $("queues").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  shown = current;
}

/** How much is labelled and how much is left. */
export function showProgress({ labelled, detections }) {
  redraw($("progress"), [labelled, detections], () => [
    el("progress", { max: Math.max(detections, 1), value: labelled, "aria-label": "Labelled" }),
    el("span", {}, el("b", {}, count(labelled)), " labelled, ",
      el("b", {}, count(detections - labelled)), " left")]);
}

const SHOWN = { open: "not labelled", labelled: "labelled", all: "all" };

/** The filters of a queue; `change(filter)` is called with all of them. */
export function showFilters(state, now, usual, change) {
  const form = $("filters");
  const option = (value, text, chosen) => el("option", { value, selected: value === (chosen ?? "") }, text);
  const read = () => change(Object.fromEntries([...new FormData(form)].map(([k, v]) => [k, String(v)])));
  form.onsubmit = (event) => event.preventDefault();
  form.onchange = read;
  const active = ["group", "name", "site", "start", "end", "show"].filter((k) => now[k]);
  const button = $("filter-button");
  put(button, "Filter", active.length ? el("b", { class: "badge" }, String(active.length)) : null);
  button.setAttribute("aria-expanded", String(!form.hidden));
  const of = (k) => now[k] ?? "";
  const set = active.map((k) => `${k}=${now[k]}`).join("&");
  const held = form.contains(document.activeElement) ? document.activeElement.type : "";
  if (held === "date" || (held && form.dataset.set === set)) return; // somebody is choosing
  form.dataset.set = set;
  const groups = state.queues.find((q) => q.queue === now.queue)?.groups ?? [];
  redraw(form, [state.classes, state.sites, set, usual, groups], () => [
    ...(groups.length ? [el("label", {}, "Group", el("select", { name: "group", "data-key": "group" },
      option("", `all ${groups.length}`, of("group")),
      ...groups.map((g) => option(g.group, `${g.group}${g.name ? ` ${g.name}` : ""} (${g.left} open)`, of("group")))))] : []),
    el("label", {}, "Species or class", el("select", { name: "name", "data-key": "name" }, option("", "any", of("name")),
      ...state.classes.map((c) => option(c.label, c.labelled ? `${c.label} (${count(c.labelled)})` : c.label, of("name"))))),
    el("label", {}, "Site", el("select", { name: "site", "data-key": "site" }, option("", "any", of("site")),
      ...state.sites.map((s) => option(s, s, of("site"))))),
    el("label", {}, "From", el("input", { type: "date", name: "start", "data-key": "start", value: of("start") })),
    el("label", {}, "Until", el("input", { type: "date", name: "end", "data-key": "end", value: of("end") })),
    el("label", {}, "Show", el("select", { name: "show", "data-key": "show" },
      option("", SHOWN[usual] ?? "all", of("show")),
      ...Object.entries(SHOWN).filter(([k]) => k !== (usual ?? "all")).map(([k, text]) => option(k, text, of("show"))))),
    active.length > 0 && el("button", { type: "button", class: "plain", "data-key": "clear",
      onclick: () => change({ group: "", name: "", site: "", start: "", end: "", show: "" }) }, "Show everything again"),
  ]);
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
