// The thumbnails.
import {$, day, element, foundAt, month} from "./dom.js";

const grid = $("grid");
export const tiles = () => [...grid.querySelectorAll(".tile")];

// Draw matches behind those that are there, perhaps below headings of months.
export function draw(matches, start = 0, hasMonths = false) {
  if (!start) grid.replaceChildren();
  grid.querySelector(".end:last-child")?.remove();
  tiles().forEach((tile, n) => showAlike(tile, matches[n]));
  for (let n = start; n < matches.length; n++) {
    const title = hasMonths && monthOf(matches[n]);
    if (title && (!n || title !== monthOf(matches[n - 1]))) grid.append(...n ? [end()] : [], heading(title));
    grid.append(item(matches[n], n));
  }
  if (matches.length) grid.append(end());
}

const end = () => element("li", {className: "end", ariaHidden: "true"});
const heading = title => element("li", {className: "heading"}, element("h2", {textContent: title}));
const monthOf = ({date}) => day(date) ? month(date.slice(0, 7)) : "Date unknown";

function item(match, n) {
  const {name, path, thumbnail, seconds, width, height} = match;
  const image = thumbnail ? element("img", {src: thumbnail, loading: "lazy", decoding: "async", alt: describe(match)})
    : element("span", {className: "place", textContent: path});
  const tile = element("button", {className: "tile", type: "button", tabIndex: n ? -1 : 0, title: name}, image);
  image.onerror = () => tile.classList.add("broken");
  showAlike(tile, match);
  const found = foundAt(match);
  if (found) tile.append(element("span", {className: "found", textContent: seconds === undefined ? `found ${found}` : found}));
  const made = element("li", {}, tile, element("span", {className: "caption", textContent: name, ariaHidden: "true"}));
  made.style.setProperty("--ratio", Math.min(3, Math.max(.45, width / height || 1)).toFixed(3));
  return made;
}

// How many near duplicates are left out, which are more as more is loaded.
function showAlike(tile, {alike}) {
  if (!alike) return;
  tile.querySelector(".alike")?.remove();
  tile.append(element("span", {className: "alike", textContent: `+${alike}`, title: "near duplicates"}));
}

// What a picture shows, and when; its name where that is not known.
export const describe = match => [match.tag ?? match.name, day(match.date)].filter(Boolean).join(", ");

export function focusTile(n, options) {
  const all = tiles();
  if (!all[n]) return false;
  for (const tile of all) tile.tabIndex = -1;
  all[n].tabIndex = 0;
  all[n].focus(options);
  return true;
}

// The tile above or below one, the nearest in the next row.
export function below(all, place, step) {
  const here = all[place].getBoundingClientRect(), middle = here.left + here.width / 2;
  let best = -1, row = null, distance = Infinity;
  for (let n = place + step; n >= 0 && n < all.length; n += step) {
    const box = all[n].getBoundingClientRect();
    if (Math.abs(box.top - here.top) < 2) continue;
    if (row !== null && Math.abs(box.top - row) > 2) break;
    row = box.top;
    const gap = Math.abs(box.left + box.width / 2 - middle);
    if (gap < distance) [best, distance] = [n, gap];
  }
  return best < 0 && step > 0 ? place : best;
}

addEventListener("beforeprint", () => { for (const image of grid.querySelectorAll("img")) image.loading = "eager"; });
