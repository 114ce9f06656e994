// A report as one HTML file that needs nothing else: styles and charts are inside, and nothing in it is fetched or run.

import { h } from "../dom.js";
import { moment, nameOf } from "./figures.js";
import { report } from "./report.js";

const STYLES = ["/static/css/theme.css", "/static/css/report.css"];
/** Width (px) of a chart in the file; it shrinks with the window. */
const WIDTH = 560;

/** The file's text. */
export async function standalone(details) {
  const styles = await Promise.all(STYLES.map(async (path) => {
    const answer = await fetch(path);
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.text();
  }));
  const runs = details.map(({ run }) => run);
  const title = h("title", {}, `${runs.map((run) => `${run.engine}, ${nameOf(run)}`).join(" and ")} · fastgo`);
  const body = h("body", { class: "standalone" }, h("main", {}, report(details, { width: WIDTH, level: 1 }),
    h("footer", {}, `Saved ${moment(Date.now() / 1000)} by fastgo ${runs[0].settings.version ?? ""}`)));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
${title.outerHTML}
<style>
${styles.join("\n")}
</style>
</head>
${body.outerHTML}
</html>
`;
}

/** A file name that says which runs are in it. */
export function fileName(details) {
  const [{ run }] = details;
  const parts = ["fastgo-run", ...details.map((detail) => detail.run.engine), moment(run.start), run.name ?? ""];
  return `${parts.join("-").replace(/[^A-Za-z0-9]+/g, "-").replace(/-+$/, "").slice(0, 80)}.html`;
}
