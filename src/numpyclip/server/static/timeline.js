// The timeline: years and months to jump to.
import {$, button, element, number, plural, shortMonth} from "./dom.js";
import {request} from "./api.js";
import {filterParameters, query, startSearch} from "./query.js";
import {view} from "./views.js";

const nav = $("timeline");
let drawn = null;  // the filters of what is drawn, and how many pictures they select

// Show it beside pictures sorted by date; it counts those that the filters select.
export async function showTimeline({order, searched}) {
  nav.hidden = order !== "date";
  if (nav.hidden) return;
  const parameters = `${filterParameters(view.query.filters)}`, asked = `${parameters} ${searched}`;
  if (asked !== drawn) {
    drawn = asked;
    nav.replaceChildren();
    try {
      const {months} = await request(`timeline?${parameters}`);
      if (drawn === asked) draw(months);
    } catch { if (drawn === asked) drawn = null; }  // the search shows errors
  }
  mark();
}

function draw(months) {
  const years = new Map();
  for (const [month, count] of months.filter(([month]) => month)) {
    const year = month.slice(0, 4);
    years.set(year, [...years.get(year) ?? [], [month, count]]);
  }
  nav.replaceChildren(button("Newest", () => jump("")), ...[...years].map(([year, inYear]) => element("details", {name: "years"},
    element("summary", {textContent: year, title: plural(inYear.reduce((sum, [, count]) => sum + count, 0), "image")}),
    ...inYear.map(([month, count]) => {
      const made = button(shortMonth(month), () => jump(month), "month");
      made.dataset.month = month;
      made.append(unseen(` ${year}, `), element("small", {textContent: number(count)}), unseen(count === 1 ? " image" : " images"));
      return made;
    }))));
}

// For screen readers only.
const unseen = text => element("span", {className: "unseen", textContent: text});

function jump(month) {
  startSearch({from: month, focus: "results"});
}

// On a phone, where an open year would cover the pictures, none stays open.
function mark() {
  const isNarrow = matchMedia("(max-width: 760px)").matches;
  if (isNarrow) for (const year of nav.querySelectorAll("[open]")) year.open = false;
  for (const month of nav.querySelectorAll(".month")) {
    const isCurrent = month.dataset.month === query.from;
    month.ariaCurrent = isCurrent ? "date" : null;
    if (isCurrent && !isNarrow) month.closest("details").open = true;
  }
}
