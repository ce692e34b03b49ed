// Keys and swipes: / to the search box, x to select, arrows among the pictures and in the detail view.
import {$} from "./dom.js";
import {below, focusTile, tiles} from "./grid.js";
import {isOpen, step} from "./detail.js";
import {toggle} from "./selection.js";

document.onkeydown = event => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("login").open) return;
  if (isOpen() ? ofDetail(event) : !document.querySelector("dialog[open]") && ofPictures(event)) event.preventDefault();
};

// Whether the focused element leaves letters and arrows to the page.
const isFree = event => !event.target.matches("input, select, textarea, video");

function ofDetail(event) {
  const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
  if (by && isFree(event)) { step(by); return true; }
}

function ofPictures(event) {
  if (event.key === "/" && isFree(event)) { $("text").focus(); $("text").select(); return true; }
  if (event.key === "ArrowDown" && event.target === $("text")) return focusTile(0);
  const all = tiles(), place = all.indexOf(document.activeElement);
  if (place < 0) return false;
  if (event.key === "x") { toggle(place); return true; }
  const goal = {ArrowLeft: () => place - 1, ArrowRight: () => place + 1, Home: () => 0, End: () => all.length - 1,
    ArrowUp: () => below(all, place, -1), ArrowDown: () => below(all, place, 1)}[event.key]?.();
  if (goal === undefined) return false;
  if (goal < 0 && event.key === "ArrowUp") $("text").focus(); else focusTile(goal);
  return true;
}

// A finger that moves to the side, unless the page is zoomed, when this moves it, or a video's controls are below.
const frame = $("frame");
let start = null;
visualViewport.onresize = () => { frame.style.touchAction = visualViewport.scale > 1 ? "auto" : ""; };
frame.onpointerdown = event => {
  const isControls = event.target === $("film") && event.offsetY > $("film").offsetHeight - 80;
  start = event.isPrimary && event.pointerType === "touch" && visualViewport.scale <= 1 && !isControls ? event : null;
};
frame.onpointerup = event => {
  const x = event.clientX - start?.clientX, y = event.clientY - start?.clientY;
  if (Math.abs(x) > Math.max(40, 2 * Math.abs(y))) step(x < 0 ? 1 : -1);
  start = null;
};
frame.onpointercancel = () => { start = null; };
