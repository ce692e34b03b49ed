// The pictures that are searched with.
import {$, element} from "./dom.js";
import {query, startSearch} from "./query.js";

export function drawChips() {
  $("chips").hidden = !query.pictures.length;
  $("chips").replaceChildren(...query.pictures.map(chip));
}

function chip(picture, n) {
  const image = element("img", {src: picture.source, alt: picture.name});
  image.onerror = () => picture.onbroken?.(image);
  return element("span", {className: "chip"}, image, element("button", {
    className: "icon", type: "button", ariaLabel: `Leave out ${picture.name}`, textContent: "✕",
    onclick() {
      query.pictures = query.pictures.filter(other => other !== picture);
      startSearch();  // draws the other chips
      const left = $("chips").querySelectorAll("button");
      (left[Math.min(n, left.length - 1)] ?? $("text")).focus();
    }}));
}
