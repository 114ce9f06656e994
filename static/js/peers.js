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

/** The origins in `?engines=URL,URL` in order, and a sentence for each entry that cannot be used. */
export function parseEngines(text) {
  const originOf = (entry) => {
    const url = parse(entry);
    return url?.protocol === "http:" || url?.protocol === "https:" ? url.origin : null;
  };
  const { values, problems } = parseList(text, originOf, "an http:// or https:// address: left out");
  return { origins: values, problems };
}

/** The same for names of hosts. */
export function parseHosts(text) {
  const hostOf = (entry) => (parse(`http://${entry}`)?.hostname === entry.toLowerCase() ? entry.toLowerCase() : null);
  const { values, problems } = parseList(text, hostOf, "a host name: leave out http:// and port");
  return { hosts: values, problems };
}

/** What `read` returns for entries with commas or spaces between, each once, and problems; `what` an entry must be. */
function parseList(text, read, what) {
  const entries = (text ?? "").split(/[\s,]+/).filter(Boolean);
  const values = [...new Set(entries.map(read).filter(Boolean))];
  const problems = entries.filter((entry) => !read(entry)).map((entry) => `“${shorten(entry)}” is not ${what}`);
  if (values.length > MOST_ENGINES) problems.push(`At most ${MOST_ENGINES} fit on a page, without ${values.splice(MOST_ENGINES).join(", ")}`);
  return { values, problems };
}

/** The engines of the boards in `?hosts=`, at their usual ports: of each the types `wanted`, or those that fit. */
export function onHosts(text, wanted) {
  const { hosts, problems } = parseHosts(text);
  const peers = DEFAULT_PEERS.filter((peer) => wanted.includes(peer.server_type));
  const shown = peers.slice(0, MOST_ENGINES / hosts.length);
  const types = shown.map((peer) => peer.server_type);
  if (shown.length < peers.length) problems.push(`${MOST_ENGINES} engines fit on a page. Shown of each board: ${types.join(", ")}`);
  return { origins: hosts.flatMap((host) => shown.map((peer) => `http://${host}:${peer.port}`)), types: hosts.flatMap(() => types), problems };
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

/** The web address in `text`, null where it is none. */
function parse(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

const shorten = (text) => (text.length > 60 ? `${text.slice(0, 57)}…` : text);
