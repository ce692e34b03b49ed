// Requests to the server, with the token that it may ask for.
import {$} from "./dom.js";

// Of status 0 where there is no response.
class RequestError extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

export async function send(path, options = {}) {
  const response = await fetch(path, options).catch(error => {
    throw error.name === "AbortError" ? error : new RequestError(0, "There is no response. Is numpyclip serve still running?");
  });
  if (response.status === 401 && path !== "login") {
    await logIn();
    return send(path, options);
  }
  if (!response.ok) {
    const body = isJSON(response) ? await response.json() : null;
    throw new RequestError(response.status, body?.error?.message || response.statusText);
  }
  return response;
}

export async function request(path, options = {}) {
  const response = await send(path, options);
  return isJSON(response) ? response.json() : null;
}

export const post = (path, values) => request(path, {method: "POST", body: JSON.stringify(values)});

const isJSON = response => (response.headers.get("content-type") || "").startsWith("application/json");

let loggingIn = null;
function logIn() {
  loggingIn ??= new Promise(resolve => {
    const focused = document.activeElement;
    $("refused").hidden = true;
    $("login").showModal();
    $("login").onclose = () => { if (loggingIn) $("login").showModal(); };  // Escape, which may close it unasked
    $("login").querySelector("form").onsubmit = async event => {
      event.preventDefault();
      try {
        await post("login", {token: $("token").value});
      } catch (error) {
        $("refused").textContent = error.status === 401 ? "This is not the token." : error.message;
        $("refused").hidden = false;
        $("token").select();
        return;
      }
      loggingIn = null;
      $("login").close();
      focused?.focus({preventScroll: true});
      resolve();
    };
  });
  return loggingIn;
}
