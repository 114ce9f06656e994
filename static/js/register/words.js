// What the page says, in plain words. Pure.

const two = (n) => String(n).padStart(2, "0");

/** Seats in words: `7 of 25 seats free`, `Full, 3 waiting`. */
export function seats({ seats: all, taken, waiting }) {
  const free = Math.max(0, all - taken);
  if (free > 0) return `${free} of ${all} ${all === 1 ? "seat" : "seats"} free`;
  return waiting > 0 ? `Full, ${waiting} waiting` : "Full, nobody waiting";
}

/** The button of a course. */
export function action({ seats: all, taken }) {
  return taken < all ? "Register" : "Join the waiting list";
}

/** What is left until a time: `2 days`, `3 h 05 min`, `12:34`, `0:09`. */
export function left(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  if (s >= 2 * 86_400) return `${Math.floor(s / 86_400)} days`;
  if (s >= 3600) return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`;
  return `${Math.floor(s / 60)}:${two(s % 60)}`;
}

/** A time that the server gave: `08:00`, or with its day if that is another one. */
export function when(time, now) {
  const [date, today] = [new Date(time), new Date(now)];
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (date.toDateString() === today.toDateString()) return clock;
  return `${date.toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long" })}, ${clock}`;
}

/** A time to the second, with its day. */
export function exactly(time) {
  const date = new Date(time);
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
  return `${day}, ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Title and explanation of a receipt. */
export function standing({ status, position }) {
  if (status === "enrolled") return { title: "You have a seat", text: "" };
  if (position === 1) return { title: "Waiting list: you are first", text: "If somebody gives a seat back, it is yours." };
  const title = position ? `Waiting list: place ${position}` : "On the waiting list";
  return { title, text: "When somebody gives a seat back, everybody behind moves up by one. This page follows." };
}

const WAITS = {
  offline: "No connection.",
  busy: "The server is busy. You are not registered yet.",
  often: "Too many requests at once.",
  soon: "Opening now.",
};

/** A try that is repeated: why, and when (ms from now). */
export function waiting(reason, ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  return `${WAITS[reason]} ${s > 0 ? `Trying again in ${s} s.` : "Trying again now."}`;
}

/** Why a registration was refused. */
export function refusal({ reason, opensAt, message }, now) {
  switch (reason) {
    case "closed":
      return opensAt ? `Registration is not open yet. It opens at ${when(opensAt, now)}.` : "Registration is closed.";
    case "student":
      return "The school's list does not have this student number, or the PIN is wrong.";
    case "course":
      return "This course is no longer offered.";
    case "given-back":
      return "This seat was given back meanwhile. Register again if you want it.";
    default:
      return `The server did not accept this: ${message ?? "no reason given"}.`;
  }
}
