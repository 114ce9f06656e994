// Runs what the README says, `fastgo` and the three k6-quick commands at once, a few times, and reads /compare3 at the end of each: every
// row must have been compared, and no metric may have two different winners. ../ranking runs it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { drawn, launch, open } from "./browser.js";
import { ENGINES, ROOT, metrics, serveAll, stopAll } from "./server.js";

const [k6, times] = process.argv.slice(2);
const rounds = [];
const wrong = [];
const browser = await launch();

/** The three commands; resolves to their verdicts when all have ended. */
async function load(origins) {
  return Promise.all(ENGINES.map(async (engine) => {
    const run = spawn(k6, ["run", "--quiet", "-e", `TARGET_URL=${origins[engine]}`, "-e", "SUMMARY=", "loadtest/k6-quick.js"], { cwd: ROOT, stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    run.stdout.on("data", (bytes) => (text += bytes));
    await once(run, "close");
    return `${engine}: ${/^(PASSED|FAILED).*$/m.exec(text)?.[0] ?? "no verdict"}`;
  }));
}

async function round() {
  const all = await serveAll();
  const page = await open(browser, `${all.origins["worker-pool"]}/compare3?window=1m`);
  await drawn(page, "connections", 3);
  const verdicts = await load(all.origins);
  const basis = await page.locator(".basis").textContent();
  const rows = await page.$$eval(".comparison tbody tr", (all) => all.filter((row) => row.checkVisibility()).map((row) => ({
    name: row.querySelector(".metric").textContent.trim(), kind: row.dataset.verdict, verdict: row.querySelector(".verdict").textContent,
    winner: [...row.querySelectorAll("td")].findIndex((cell) => cell.classList.contains("winner")),
    figures: [...row.querySelectorAll(".figure")].map((figure) => figure.textContent),
  })));
  const { num_cpu: cores } = await metrics(all.origins.may);
  await page.context().close();
  await all.stop();
  return { verdicts, basis, rows, cores };
}

for (let n = 0; n < Number(times); n++) {
  const { verdicts, basis, rows, cores } = await round();
  rounds.push(rows);
  console.log(`Round ${n + 1}, ${cores} cores. ${basis}\n  ${verdicts.join("\n  ")}`);
  for (const { name, figures, verdict } of rows) console.log(`  ${name.padEnd(28)}${figures.map((figure) => figure.padStart(12)).join("")}   ${verdict}`);
  for (const { name, kind, verdict } of rows) if (kind === "none" || kind === "fact") wrong.push(`round ${n + 1}: ${name} is not compared (${verdict})`);
}
const names = [...new Set(rounds.flat().map(({ name }) => name))];
for (const name of names) {
  const winners = rounds.map((rows) => rows.find((row) => row.name === name)?.winner ?? -1);
  const ahead = [...new Set(winners.filter((winner) => winner >= 0))].map((winner) => ENGINES[winner]);
  console.log(`${name}: ${ahead.length ? `${ahead.join(" and ")} ahead in ${winners.filter((winner) => winner >= 0).length} of ${times}, else about equal` : "about equal each time"}`);
  if (ahead.length > 1) wrong.push(`${name}: ${ahead.join(" and ")} were each ahead once`);
}
for (const one of wrong) console.error(`FAILED ${one}`);
await browser.close();
await stopAll();
process.exit(wrong.length ? 1 : 0);
