// Which board a page shows: its name and what it is, in the header and in the title.

import { h, put } from "./dom.js";
import { celsius } from "./format.js";

/** Model, memory and temperature of the board that a sample is from. */
function boardFacts(pi) {
  const model = pi?.model?.replace("Raspberry Pi", "Pi").replace(/ Model ([A-Z]\+?)/, "$1").replace(/ Rev .*/, "");
  const memory = pi?.memory ? `${Math.max(1, Math.round(pi.memory.total_mb / 1024))} GB` : null;
  const degrees = pi?.temperature_c === null || pi?.temperature_c === undefined ? null : celsius(pi.temperature_c);
  return [model, memory, degrees].filter(Boolean);
}

export class Where {
  constructor() {
    this.host = h("strong", { class: "host" });
    this.facts = h("span", { class: "board-facts" });
    this.element = h("p", { class: "where" }, this.host, this.facts);
  }

  draw(engines) {
    const hosts = [...new Set(engines.map((engine) => engine.host))];
    put(this.host, hosts.join(", "));
    const live = engines.find((engine) => engine.state === "live" && engine.latest);
    put(this.facts, hosts.length === 1 && live ? boardFacts(live.latest.pi).map((fact) => ` · ${fact}`).join("") : "");
  }
}

/** The tab's title: first what is wrong, else what is up, and where. `what` names the page. */
export function titleOf(engines, what = null) {
  const hosts = [...new Set(engines.map((engine) => engine.host))].join(", ");
  const down = engines.filter((engine) => engine.state === "down").length;
  if (what) return `${down ? "Down: " : ""}${what} on ${hosts} · fastgo`;
  return `${down ? `${down} down: ${hosts}` : `${hosts}: ${engines.filter((engine) => engine.state === "live").length} up`} · fastgo`;
}
