// The sites on a map that needs no network: coordinates alone, north up, true to scale.

import { el, name, svg } from "./dom.js";

const SIDE = 240;
const EDGE = 18;
const FOOT = 24; // under the sites, for the scale
const NICE = [1, 2, 5];
const EARTH = 111.32; // km of a degree of latitude

/** A map of sites with one marked; null when no site has coordinates. */
export function siteMap(sites, current) {
  const placed = sites.filter((s) => s.latitude !== null && s.longitude !== null);
  if (!placed.length) return null;
  const middle = (Math.max(...placed.map((s) => s.latitude)) + Math.min(...placed.map((s) => s.latitude))) / 2;
  const squeeze = Math.max(Math.cos((middle * Math.PI) / 180), 0.05);
  const xy = placed.map((s) => [s.longitude * squeeze * EARTH, -s.latitude * EARTH]); // km
  const low = [0, 1].map((k) => Math.min(...xy.map((p) => p[k])));
  const high = [0, 1].map((k) => Math.max(...xy.map((p) => p[k])));
  const span = Math.max(high[0] - low[0], high[1] - low[1], 0.05);
  const scale = (SIDE - 2 * EDGE) / span;
  const at = (p) => [0, 1].map((k) => EDGE + (p[k] - low[k]) * scale
    + ((SIDE - 2 * EDGE) - (high[k] - low[k]) * scale) / 2);
  const most = Math.max(...placed.map((s) => s.pictures), 1);
  const dots = placed.map((site, i) => {
    const [x, y] = at(xy[i]);
    const here = site.site === current;
    return svg("circle", {
      cx: x.toFixed(1), cy: y.toFixed(1), r: (here ? 7 : 2.5 + 3 * Math.sqrt(site.pictures / most)).toFixed(1),
      class: here ? "here" : "site",
    }, svg("title", {}, `${site.name || site.site} (${site.pictures})`));
  });
  dots.sort((a, b) => Number(a.classList.contains("here")) - Number(b.classList.contains("here")));
  const length = nice(span / 3);
  const known = placed.some((s) => s.site === current);
  return el("figure", { class: "map" },
    svg("svg", { viewBox: `0 0 ${SIDE} ${SIDE + FOOT}`, role: "img",
      "aria-label": `Map of ${placed.length} sites${known ? `, ${current} marked` : ""}` },
    svg("rect", { width: SIDE, height: SIDE + FOOT, rx: 6, class: "ground" }), ...dots,
    svg("path", { d: `M${EDGE} ${SIDE + FOOT - 8}h${(length * scale).toFixed(1)}`, class: "scale" }),
    svg("text", { x: EDGE, y: SIDE + FOOT - 13 }, length < 1 ? `${Math.round(length * 1000)} m` : `${length} km`),
    svg("text", { x: SIDE - 14, y: 16, class: "north" }, "N"),
    svg("path", { d: `M${SIDE - 10} 20v14m-4-9l4-5l4 5`, class: "scale" })),
    el("figcaption", {}, name(current || "no site"),
      !known && el("span", { class: "hint" }, " has no coordinates")));
}

function nice(length) {
  const power = 10 ** Math.floor(Math.log10(length));
  return Math.max(...NICE.map((n) => n * power).filter((n) => n <= length), power);
}
