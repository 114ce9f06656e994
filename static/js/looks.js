// How each engine looks, the same on every page: a colour slot (`--engine-N` in theme.css) and a marker shape that its
// lines carry, so that they do not differ by colour alone.

const SLOT_OF = { "worker-pool": 0, may: 1, hyper: 2, "stock-may": 3 };

/** The marker of each slot. */
export const MARKERS = ["circle", "diamond", "triangle", "square", "cross", "bar"];

/** Looks for engines that have none of their own yet, first choice first. */
const SPARE = [3, 4, 5, 0, 1, 2];

/** A slot for each engine type in order; a second engine of one type takes a spare look. */
export function slotsFor(types) {
  const taken = new Set();
  const slots = types.map((type) => {
    const own = SLOT_OF[type];
    if (own === undefined || taken.has(own)) return null;
    taken.add(own);
    return own;
  });
  return slots.map((slot) => {
    if (slot !== null) return slot;
    const free = SPARE.find((spare) => !taken.has(spare)) ?? 0;
    taken.add(free);
    return free;
  });
}

/** Traces a marker of about `r` around (x, y) on anything with the canvas path calls. */
export function traceMarker(path, marker, x, y, r) {
  path.beginPath();
  if (marker === "circle") {
    path.arc(x, y, r, 0, Math.PI * 2);
  } else if (marker === "diamond") {
    polygon(path, x, y - r * 1.3, x + r * 1.3, y, x, y + r * 1.3, x - r * 1.3, y);
  } else if (marker === "triangle") {
    polygon(path, x, y - r * 1.2, x + r * 1.2, y + r, x - r * 1.2, y + r);
  } else if (marker === "square") {
    path.rect(x - r, y - r, 2 * r, 2 * r);
  } else if (marker === "cross") {
    path.rect(x - r * 1.2, y - r * 0.4, r * 2.4, r * 0.8);
    path.rect(x - r * 0.4, y - r * 1.2, r * 0.8, r * 2.4);
  } else {
    path.rect(x - r * 0.5, y - r * 1.3, r, r * 2.6);
  }
}

function polygon(path, x, y, ...rest) {
  path.moveTo(x, y);
  for (let i = 0; i < rest.length; i += 2) path.lineTo(rest[i], rest[i + 1]);
  path.closePath();
}
