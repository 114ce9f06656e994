// The pictures of the students' page: the countdown, the courses, and the receipts on a phone.

import path from "node:path";
import { leave, open } from "./browser.js";
import { elsewhere, school } from "./school.js";

const COURSES = [
  "id,title,seats", "art,Painting and drawing,12", "bread,Baking bread,8", "chess,Chess for beginners,16", "choir,Choir,30", "football,Football,22",
  "robots,Robots and electronics,1",
].join("\n");
const TAKEN = { art: 7, bread: 8, choir: 19, robots: 3 };

export async function shootRegister(browser, images, phone) {
  const server = await school({ engine: "may", courses: COURSES, at: new Date(Date.now() + 754_000).toISOString() });
  const at = (colorScheme) => open(browser, `${server.origin}/register`, { ...phone, colorScheme });
  const shoot = (page, name) => page.screenshot({ path: path.join(images, `register-${name}.png`) });
  const early = await at("light");
  await early.locator('.banner[data-state="soon"]').waitFor();
  await shoot(early, "countdown-phone-light");
  server.opens("now");
  for (const [course, students] of Object.entries(TAKEN)) {
    for (let student = 1; student <= students; student++) await elsewhere(server, `T${student}`, course);
  }
  for (const colorScheme of ["light", "dark"]) {
    const page = await at(colorScheme);
    await page.locator('.banner[data-state="open"]').waitFor();
    await page.getByLabel("Student number").fill("S-1042");
    if (colorScheme === "light") await shoot(page, "courses-phone-light");
    for (const course of ["art", "robots"]) {
      await page.locator(`[data-course="${course}"] .primary`).click();
      await page.locator(`[data-course="${course}"] .mine`).waitFor();
    }
    await page.waitForTimeout(500);
    if (colorScheme === "dark") await shoot(page, "receipts-phone-dark");
  }
  await leave(browser);
  await server.stop();
}
