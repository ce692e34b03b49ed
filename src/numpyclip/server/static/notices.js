// What is said above the pictures, or in their place.
import {$, button, element, number, month, plural, setStatus} from "./dom.js";
import {RequestError} from "./api.js";
import {query} from "./query.js";
import {startSearch, searchAgain} from "./search.js";

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
  showNotice("Search your pictures with words", `${number(searched)} pictures are indexed. Describe one, drop a picture onto this page, ` +
    "or mix: “horse + stripes - grass”.", element("div", {className: "ideas"}, ...IDEAS.map(idea => button(idea, () => {
      $("text").value = idea;
      startSearch({focus: "results"});
    }))));
}

export function showNothing() {
  showNotice("No pictures there", "No picture fits these filters.");
}

// How many are shown of how many, in which order, and whether that is more than chance.
export function summary({matches, loaded, next, answer}) {
  if (!matches.length) return "";
  const first = answer.order === "date" ? "newest" : "nearest";
  const since = answer.order === "date" && query.from ? ` from ${month(query.from)} back` : "";
  const all = answer.is_estimate ? `about ${number(Math.max(answer.searched, matches.length))} pictures` : plural(answer.searched, "picture");
  const count = next || loaded < answer.searched ? `The ${first} ${number(matches.length)}${since} of ${all}` : `${plural(matches.length, "picture")}${since}, the ${first} first`;
  return answer.cutoff !== null && !answer.is_match ? `${count}. Perhaps none of them is meant: of so many pictures, one fits as well by chance.` : count;
}

export function showError(error) {
  const isResponse = error instanceof RequestError;
  const retry = button("Try again", searchAgain, "main");
  setStatus("");
  if (isResponse && error.status === 404 && error.message.includes("no index")) {
    showNotice("Nothing is indexed yet", "In a shell, make pictures searchable:", element("p", {}, element("code", {textContent: "numpyclip index FOLDER"})), retry);
  } else if (isResponse && error.status === 400) {
    showNotice("This cannot be searched for", error.message);
  } else if (isResponse && (error.status === 429 || error.status === 503)) {
    showNotice("The server is busy", error.message, retry);
  } else {
    showNotice(isResponse ? "Something went wrong" : "The server does not answer", isResponse ? error.message : "Is numpyclip serve still running?", retry);
  }
  $("notice").className = "wrong";
}
