// The page: see `search.js` for how a search runs, and the other modules for what it is made of.
import {$} from "./dom.js";
import {clear, filters, startSearch} from "./query.js";
import {loadLibrary} from "./marks.js";
import {startHistory} from "./search.js";
import "./keys.js";
import "./places.js";
import "./uploads.js";

const form = $("form");
form.onsubmit = event => { event.preventDefault(); startSearch(); };
form.addEventListener("change", event => { if (event.target.dataset.filter) startSearch(); });
$("clear").onclick = () => { clear(); startSearch(); $("text").focus(); };
$("skip").onclick = event => { event.preventDefault(); $("grid").focus(); };

// On a phone the filters are folded.
$("fold").onclick = () => {
  const isUnfolded = $("header").classList.toggle("unfolded");
  $("fold").setAttribute("aria-expanded", isUnfolded);
};

// What has the focus is hidden neither by the header nor by the bar of what is selected.
const padding = new ResizeObserver(() => {
  const {style} = document.documentElement;
  style.setProperty("--header", `${getComputedStyle($("header")).position === "sticky" ? $("header").offsetHeight : 0}px`);
  style.scrollPaddingBottom = `${$("bar").offsetHeight + 8}px`;
  document.activeElement?.closest("#grid .tile")?.scrollIntoView({block: "nearest"});
});
padding.observe($("header"));
padding.observe($("bar"));

startHistory();
if (filters().length) $("fold").click();
$("extra").open = filters().some(([name]) => $("extra").querySelector(`[data-filter=${name}]`));
loadLibrary();
