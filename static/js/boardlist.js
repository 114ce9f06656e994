// The dialog that chooses the boards on the page, and which of their engines; this browser keeps the list.

import { h, mark, put } from "./dom.js";
import { MOST_ENGINES, TYPES, parseHosts } from "./peers.js";

const KEY = "fastgo-boards";

export class BoardList {
  constructor() {
    const own = location.hostname;
    this.hosts = h("textarea", { id: "boards", rows: MOST_ENGINES, spellcheck: "false", autocapitalize: "none", "aria-describedby": "boards-hint" });
    this.only = h("select", { id: "only" }, h("option", { value: "" }, "all engines"), ...TYPES.map((type) => h("option", {}, type)));
    this.problem = h("p", { class: "problem", role: "alert" });
    this.dialog = h("dialog", { class: "shortcuts boardlist", "aria-labelledby": "boards-title" },
      h("form", { onsubmit: (event) => this.submit(event) },
        h("h2", { id: "boards-title" }, "Boards on this page"),
        h("label", { for: "boards" }, "Host names, one per line"), this.hosts, this.problem,
        h("p", { id: "boards-hint" }, `At most ${MOST_ENGINES} engines fit on the page. On each other board BOARDS=${own} lets this page read its figures.`),
        h("label", { for: "only" }, "Of each board"), this.only,
        h("div", { class: "tools" }, h("button", { class: "button" }, "Show"), h("button", { type: "button", class: "button", onclick: () => this.dialog.close() }, "Cancel"))));
  }

  show() {
    const query = new URLSearchParams(location.search);
    const list = query.has("hosts") ? query : new URLSearchParams(storage()[KEY]);
    this.hosts.value = parseHosts(list.get("hosts") ?? location.hostname).hosts.join("\n");
    this.only.value = list.get("only") ?? "";
    this.report([]);
    this.dialog.showModal();
  }

  submit(event) {
    event.preventDefault();
    const { hosts, problems } = parseHosts(this.hosts.value);
    this.report(problems);
    if (problems.length) return;
    storage()[KEY] = withHosts(new URLSearchParams(), hosts, this.only.value);
    const query = String(withHosts(new URLSearchParams(location.search), hosts, this.only.value, location.hostname));
    location.href = location.pathname + (query && `?${query}`);
  }

  report(problems) {
    put(this.problem, problems.join(". "));
    mark(this.hosts, "aria-invalid", problems.length ? "true" : null);
    if (problems.length) this.hosts.focus();
  }
}

/** `query` with these boards instead of those in it; the page's `own` board alone needs no name, and its ports are known. */
export function withHosts(query, hosts, only, own) {
  for (const name of ["engines", "hosts", "only"]) query.delete(name);
  if (hosts.some((host) => host !== own)) {
    query.set("hosts", hosts.join());
    if (only) query.set("only", only);
  }
  return query;
}

/** Where this browser keeps the list; without storage it is in the address only. */
function storage() {
  try {
    return localStorage;
  } catch {
    return {};
  }
}
