// A school for the tests of the students' page: courses, students, an opening, and an engine that serves them.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { command, serve } from "./server.js";

const COURSES = "id,title,seats\nart,Painting and drawing,2\nrobots,Robots,1\nchoir,Choir,30\n";

/**
 * A server with courses. `students`: only those in the list may register. `at`: when it opens, null for never. What comes
 * back is the process, with `opens(time)`.
 */
export async function school({ engine = "worker-pool", courses = COURSES, students, at = "now", ...env } = {}) {
  const directory = mkdtempSync(path.join(tmpdir(), "fastgo-school-"));
  const file = (name, text) => {
    writeFileSync(path.join(directory, name), text);
    return path.join(directory, name);
  };
  const database = `sqlite:${path.join(directory, "registrations.db")}`;
  const list = students ? ["--students", file("students.csv", students)] : [];
  command("registrations", "import", "--database", database, "--courses", file("courses.csv", courses), ...list);
  const opens = (time) => command("registrations", "open", "--database", database, ...(time === "now" ? [] : ["--at", time]));
  if (at) opens(at);
  return Object.assign(await serve(engine, { DATABASE_URL: database, ...env }), { opens, database });
}

/** Registers a student from elsewhere; gives the receipt. */
export async function elsewhere(server, student, course) {
  const answer = await fetch(`${server.origin}/registrations`, { method: "POST", body: JSON.stringify({ student_id: student, course_id: course }) });
  return answer.json();
}
