// The scale of years and months, by which one jumps to a date.
import {$, button, element, number} from "./dom.js";
import {request} from "./api.js";
import {filterParameters, query} from "./query.js";
import {startSearch} from "./search.js";

const nav = $("timeline");
let drawn = null;

// Show it beside pictures that are in the order of their dates, of those that are filtered.
export async function showTimeline(isShown) {
  nav.hidden = !isShown;
  if (!isShown) return;
  const parameters = `${filterParameters()}`;
  if (parameters !== drawn) {
    drawn = parameters;
    nav.replaceChildren();
    try {
      const {months} = await request(`timeline?${parameters}`);
      if (drawn === parameters) draw(months);
    } catch { drawn = null; }  // the search shows errors
  }
  mark();
}

function draw(months) {
  const years = new Map();
  for (const [month, count] of months.filter(([month]) => month)) {
    years.set(month.slice(0, 4), [...years.get(month.slice(0, 4)) ?? [], [month, count]]);
  }
  nav.replaceChildren(button("Newest", () => jump("")), ...[...years].map(([year, inYear]) => element("details", {name: "years"},
    element("summary", {textContent: year, title: `${number(inYear.reduce((sum, [, count]) => sum + count, 0))} pictures`}),
    ...inYear.map(([month, count]) => {
      const name = new Date(`${month}-15T12:00`).toLocaleDateString("en-GB", {month: "short"});
      const made = button(name, () => jump(month), "month");
      made.dataset.month = month;
      made.ariaLabel = `${name} ${year}, ${number(count)} pictures`;
      made.append(element("small", {textContent: number(count)}));
      return made;
    }))));
}

function jump(month) {
  query.from = month;
  startSearch({focus: "results"});
}

function mark() {
  for (const month of nav.querySelectorAll(".month")) {
    const isCurrent = month.dataset.month === query.from;
    month.ariaCurrent = isCurrent ? "date" : null;
    if (isCurrent) month.closest("details").open = true;
  }
}
