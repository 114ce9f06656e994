// Where the engines are: from the address bar, from what the page's own engine says of its peers, or the usual ports. Pure.

/** The engines at their usual ports, in order: the pages' one list of them, for a sample without peers. */
export const DEFAULT_PEERS = [
  { server_type: "worker-pool", port: 8080 },
  { server_type: "may", port: 8081 },
  { server_type: "hyper", port: 8082 },
];

/** The types of the engines, in order. */
export const TYPES = DEFAULT_PEERS.map((peer) => peer.server_type);

/** More than this many engines on one page look too much alike. */
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
      // Reported below, with everything else that is not a web address.
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
 * The engines of several boards as `?engines=` lists them: those of `types` at their usual ports on each host of
 * `?hosts=HOST,HOST`.
 */
export function onHosts(hosts, types) {
  const names = (hosts ?? "").split(",").map((host) => host.trim()).filter(Boolean);
  const ports = DEFAULT_PEERS.filter((peer) => types.includes(peer.server_type)).map((peer) => peer.port);
  return names.flatMap((host) => ports.map((port) => `http://${host}:${port}`)).join();
}

/**
 * The wanted engines on the page's own host, by the peers that a sample names: their origins and types, and a sentence for
 * each that does not run there. The engine that served the page (`own`, its type) is where it did, whatever the list says.
 */
export function findPeers(peers, wanted, location, own = null) {
  const known = peersOf(peers, own, location);
  const found = wanted.map((type) => known.find((peer) => peer.server_type === type)).filter(Boolean);
  const types = found.map((peer) => peer.server_type);
  return {
    types,
    origins: found.map((peer) => originAt(location, peer.port)),
    problems: wanted.filter((type) => !types.includes(type)).map((type) => `${type} is not running on this host`),
  };
}

/** The engines that a sample names, or the usual ones; the one of type `own` at `location`. */
export function peersOf(peers, own, location) {
  const listed = Array.isArray(peers) && peers.length ? peers : DEFAULT_PEERS;
  const port = Number(location.port || (location.protocol === "https:" ? 443 : 80));
  return listed.map((peer) => (peer.server_type === own ? { ...peer, port } : peer));
}

/** The page's host at another port. */
export function originAt(location, port) {
  return new URL(`${location.protocol}//${location.hostname}:${port}`).origin;
}

const shorten = (text) => (text.length > 60 ? `${text.slice(0, 57)}…` : text);
