// What an answer to a registration means, and what is to be done next. Pure.

/** Longest wait (ms) that a server may impose before the next try. */
const LONGEST = 120_000;
/** Waits (ms) after a lost connection, by the number of tries so far. */
const BACKOFF = [1000, 2000, 4000, 8000];
/** An opening that is no further away (ms) is waited for: the clocks differ by about so much. */
const SOON = 3000;

/**
 * `answer` is `{ status, body, retryAfter }`, or null where the connection was lost. `tries` counts this one, `now` is the
 * server's time in ms, `random` a number from 0 to 1.
 *
 * The outcome is one of
 * - `{ kind: "receipt", receipt }`
 * - `{ kind: "again", reason: "offline" | "busy" | "often" | "soon", wait }`
 * - `{ kind: "refused", reason: "closed" | "student" | "course" | "given-back" | "malformed", opensAt }`
 */
export function outcome(answer, { tries, now, random }) {
  if (!answer) {
    const wait = BACKOFF[Math.min(tries, BACKOFF.length) - 1];
    return { kind: "again", reason: "offline", wait: wait * (0.75 + random / 2) };
  }
  const { status, body } = answer;
  if ((status === 200 || status === 201) && body?.registration_id) return { kind: "receipt", receipt: body };
  if (status === 403 && body && "opens_at" in body) {
    const opensAt = body.opens_at === null ? null : Date.parse(body.opens_at);
    if (opensAt !== null && opensAt - now <= SOON) {
      return { kind: "again", reason: "soon", wait: Math.max(0, opensAt - now) + 100 + 900 * random };
    }
    return { kind: "refused", reason: "closed", opensAt };
  }
  if (status === 403) return { kind: "refused", reason: "student" };
  if (status === 404) return { kind: "refused", reason: "course" };
  if (status === 410) return { kind: "refused", reason: "given-back" };
  if (status === 429) return { kind: "again", reason: "often", wait: after(answer, random) };
  if (status === 408 || status >= 500 || status < 400) return { kind: "again", reason: "busy", wait: after(answer, random) };
  return { kind: "refused", reason: "malformed", message: body?.error };
}

/** What the server asked for, a little later: it counts in whole seconds, and many get the same number. */
function after({ retryAfter }, random) {
  const seconds = Number(retryAfter);
  const asked = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 2000;
  return Math.min(asked, LONGEST) + 1000 * random;
}
