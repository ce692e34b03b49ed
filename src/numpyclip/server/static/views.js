// Views: the query and the results of each entry in the browser's history.
import {snapshot} from "./query.js";

const MOST_VIEWS = 30;
const views = new Map();  // by the key of an entry, the one not used for the longest first
export let view = null;

// Go to the view of an entry, perhaps a new one.
export function enter(key = crypto.getRandomValues(new Uint32Array(2)).join("-")) {
  view = views.get(key) ?? {key, query: snapshot(), matches: [], loaded: 0, next: null, answer: null, scroll: 0, focus: -1};
  views.delete(key);
  views.set(key, view);
  if (views.size > MOST_VIEWS) views.delete(views.keys().next().value);
}

export const queryOf = key => views.get(key)?.query;

// Set the marks of pictures by their IDs, wherever they were found.
export function setMarks(marks) {
  for (const {matches} of views.values()) {
    for (const match of matches) if (match.id in marks) match.marks = marks[match.id];
  }
}
