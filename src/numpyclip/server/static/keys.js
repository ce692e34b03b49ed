// Keys: / to the search box, arrows among the pictures and in the detail view.
import {$} from "./dom.js";
import {below, focusTile, tiles} from "./grid.js";
import {isOpen, step} from "./detail.js";
import {toggle} from "./selection.js";

document.onkeydown = event => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("login").open) return;
  const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
  if (isOpen()) { if (by && !event.target.matches("input, select")) { step(by); event.preventDefault(); } return; }
  if (document.querySelector("dialog[open]")) return;
  const isTyping = event.target.matches("input, select, textarea");
  if (event.key === "/" && !isTyping) { $("text").focus(); $("text").select(); event.preventDefault(); return; }
  const all = tiles();
  if (event.key === "ArrowDown" && event.target === $("text") && focusTile(0)) { event.preventDefault(); return; }
  const place = all.indexOf(document.activeElement);
  if (place < 0) return;
  if (event.key === "x") { toggle(place); event.preventDefault(); return; }
  const goal = {ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: all.length - 1,
    ArrowUp: below(all, place, -1), ArrowDown: below(all, place, 1)}[event.key];
  if (goal === undefined) return;
  if (goal < 0 && event.key === "ArrowUp") $("text").focus(); else focusTile(goal);
  event.preventDefault();
};
