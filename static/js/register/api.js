// Requests to this server: each gives its status and body, or null where the connection was lost.

/** Longest wait (ms) for an answer; the server gives its own after less. */
const PATIENCE = 20_000;

/** A key that no other attempt has. Not `randomUUID`, which a page without TLS lacks. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Api {
  constructor(clock) {
    this.clock = clock;
  }

  courses() {
    return this.#ask("GET", "/courses");
  }

  register({ key, student, course, pin }) {
    const body = JSON.stringify({ student_id: student, course_id: course, ...(pin ? { pin } : {}) });
    return this.#ask("POST", "/registrations", { "Content-Type": "application/json", "Idempotency-Key": key }, body);
  }

  receipt(id) {
    return this.#ask("GET", `/registrations/${encodeURIComponent(id)}`);
  }

  giveBack(id) {
    return this.#ask("DELETE", `/registrations/${encodeURIComponent(id)}`);
  }

  async #ask(method, path, headers = {}, body) {
    const asked = this.clock.steady();
    try {
      const answer = await fetch(path, { method, headers, body, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      this.clock.note(Date.parse(answer.headers.get("Date")), asked, this.clock.steady());
      const text = await answer.text();
      return { status: answer.status, retryAfter: answer.headers.get("Retry-After"), body: parse(text) };
    } catch {
      return null;
    }
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
