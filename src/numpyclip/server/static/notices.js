// Messages above the pictures, or in their place.
import {$, button, element, number, month, plural} from "./dom.js";
import {query, startSearch} from "./query.js";

const IDEAS = ["a dog on a beach", "a red car", "birthday cake", "mountains - snow", "cat + umbrella"];

export let notices = 0;  // so that a late answer does not replace a newer notice

export function showNotice(title, text, ...more) {
  notices++;
  $("notice").className = "";
  $("notice").replaceChildren(element("h2", {textContent: title}), element("p", {textContent: text}), ...more);
  $("notice").hidden = false;
}

export function hideNotice() { $("notice").hidden = true; }

export function showWelcome({searched}) {
  showNotice("Search your images with words", `${number(searched)} images are indexed. Describe one, drop an image onto this page, ` +
    "or mix: “horse + stripes - grass”.", element("div", {className: "ideas"}, ...IDEAS.map(idea => button(idea, () => {
      $("text").value = idea;
      startSearch({focus: "results"});
    }))));
}

export function showNothing() {
  showNotice("No images there", "No image fits these filters.");
}

// How many are shown of how many, in which order, and whether that is more than chance.
export function summary({matches, loaded, next, answer}) {
  if (!matches.length) return "";
  const first = answer.order === "date" ? "newest" : "nearest";
  const since = answer.order === "date" && query.from ? ` from ${month(query.from)} back` : "";
  const all = answer.is_estimate ? `about ${number(Math.max(answer.searched, matches.length))} images` : plural(answer.searched, "image");
  const count = next || loaded < answer.searched ? `The ${first} ${number(matches.length)}${since} of ${all}`
    : `${plural(matches.length, "image")}${since}, the ${first} first`;
  if (answer.cutoff === null || answer.is_match) return count;
  return `${count}. Perhaps none matches: among this many images, one scores as well by chance.`;
}

const TITLES = {
  0: "The server does not answer",
  400: "This cannot be searched for",
  429: "The server is busy",
  503: "The server cannot search now",
};

// Show why there are no results; `retry` searches again.
export function showError({status, message}, retry) {
  const again = button("Try again", retry, "main");
  if (status === 404 && message.includes("no index")) {
    showNotice("Nothing is indexed yet", "In a shell, make images searchable:",
      element("p", {}, element("code", {textContent: "numpyclip index FOLDER"})), again);
  } else {
    showNotice(TITLES[status] ?? "Something went wrong", message, ...status === 400 ? [] : [again]);
  }
  $("notice").className = "wrong";
}
