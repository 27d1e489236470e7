// What the page knows of the site: filled from the page itself, then told once a second what has
// changed (`siteGateway.show`). The components only look at it.
import { reactive, shallowReactive } from "vue";

const HISTORY_MS = 3600 * 1000;
const embedded = (id) => JSON.parse(document.getElementById(id).textContent);

export const site = reactive(embedded("site-view"));

/** Points of the plot: [ms, L1, L2, L3, limit], oldest first. */
export const history = embedded("site-history");

/** Grows by one with every new point of the plot. */
export const plotted = shallowReactive({ count: 0 });

export function show(news) {
  for (const [key, value] of Object.entries(news)) {
    if (key === "circuits" || key === "evses") Object.assign(site[key], value);
    else site[key] = value;
  }
  if (news.point) remember(news.point);
}

function remember(point) {
  const last = history[history.length - 1];
  if (last && last[0] >= point[0]) return;
  history.push(point);
  while (history[0][0] < point[0] - HISTORY_MS) history.shift();
  plotted.count += 1;
}

globalThis.siteGateway = { show };
