// Where the engines are: from the address bar, from what the page's own engine says of its peers, or the usual ports. Pure.

/** The usual ports, for a sample that names no peers. */
export const DEFAULT_PEERS = [
  { server_type: "worker-pool", port: 8080 },
  { server_type: "may", port: 8081 },
  { server_type: "hyper", port: 8082 },
];

/** More than this many engines on one page could no longer be told apart. */
export const MOST_ENGINES = 6;

/** Reads `?engines=URL,URL`: origins in order, and a sentence for each that cannot be used. */
export function parseEngines(text) {
  const origins = [];
  const problems = [];
  for (const raw of (text ?? "").split(",")) {
    const entry = raw.trim();
    if (!entry) continue;
    let url = null;
    try {
      url = new URL(entry);
    } catch {
      // Told below, with everything else that is not a web address.
    }
    if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
      problems.push(`“${shorten(entry)}” in the address is not an http:// or https:// address: left out.`);
    } else if (origins.includes(url.origin)) {
      problems.push(`${url.origin} is in the address twice: shown once.`);
    } else if (origins.length === MOST_ENGINES) {
      problems.push(`At most ${MOST_ENGINES} engines fit on a page: ${url.origin} left out.`);
    } else {
      origins.push(url.origin);
    }
  }
  return { origins, problems };
}

/**
 * The wanted engines on the page's own host, by the peers that a sample names: their origins and types, and a sentence
 * for each that was not started there.
 */
export function findPeers(peers, wanted, location) {
  const known = Array.isArray(peers) && peers.length ? peers : DEFAULT_PEERS;
  const found = wanted.map((type) => known.find((peer) => peer.server_type === type)).filter(Boolean);
  const types = found.map((peer) => peer.server_type);
  return {
    types,
    origins: found.map((peer) => originAt(location, peer.port)),
    problems: wanted.filter((type) => !types.includes(type)).map((type) => `${type} was not started here`),
  };
}

/** The page's host at another port. */
export function originAt(location, port) {
  return new URL(`${location.protocol}//${location.hostname}:${port}`).origin;
}

const shorten = (text) => (text.length > 60 ? `${text.slice(0, 57)}…` : text);
