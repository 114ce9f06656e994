// What stands where figures would be before the first request: how to start a load, ready to copy.

import { NO_FAILURES, NO_REQUESTS } from "./about.js";
import { h, mark, put, show } from "./dom.js";

const COPIED_FOR = 2000;

/** A k6 command that asks each of `origins` in turn, so that all get the same load; it needs no file. */
export function loadCommand(origins) {
  const targets = origins.map((origin) => `"${origin}/"`).join(", ");
  const script = `import http from "k6/http"; export default () => http.batch([${targets}])`;
  return `echo '${script}' | k6 run --vus 50 --duration 60s -`;
}

/** Whether any of `engines` got a request in the window of `view`. */
export const hasRequests = (engines, { start, end }) => engines.some(({ shown: { store } }) => store.sum("requests", start, end) > 0);

/** Charts that would only say that there are no requests stay away until there are some. */
export function showLoaded(charts, busy) {
  for (const { spec, element } of charts) if (spec.none === NO_REQUESTS || spec.none === NO_FAILURES) show(element, busy);
}

export class StartLoad {
  /** `announcer` has `say(text)`. */
  constructor(announcer, title = NO_REQUESTS) {
    this.announcer = announcer;
    this.hint = h("p", {});
    this.code = h("code", {});
    this.button = h("button", { type: "button", class: "button", onclick: () => this.copy() }, "Copy");
    this.element = h("div", { class: "start-load" }, h("p", { class: "start-title" }, title), this.hint,
      h("div", { class: "command" }, h("pre", { tabindex: "0", "aria-label": "Command" }, this.code), this.button));
  }

  draw(engines) {
    put(this.code, loadCommand(engines.map((engine) => engine.origin)));
    put(this.hint, engines.length > 1
      ? "Start a load: run this on another computer that has k6. It sends every engine the same requests."
      : "Start a load: run this on another computer that has k6.");
  }

  async copy() {
    const copied = await copyText(this.code);
    put(this.button, copied ? "Copied" : "Select it");
    mark(this.button, "data-done", copied ? "yes" : null);
    this.announcer.say(copied ? "Command copied" : "Command selected: copy it with the keyboard");
    setTimeout(() => put(this.button, "Copy"), COPIED_FOR);
  }
}

/** Copies an element's text. The clipboard is closed to pages without HTTPS, so a selection is the fallback. */
async function copyText(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand("copy");
  }
}
