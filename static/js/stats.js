// Figures over chosen samples of a store: medians, shares, and how much they scatter. Pure.

import { ENOUGH_CONNECTIONS } from "./store.js";

/** Samples next to each other are alike: about every third adds something. */
const ALIKE = 3;
/** "With most connections" means at least this share of the most. */
const MOST = 0.8;

/** Median and its standard error, taken from how far apart the values around the middle are. */
export function median(values) {
  if (!values.length) return { value: NaN, error: NaN };
  const sorted = values.toSorted((a, b) => a - b);
  const last = sorted.length - 1;
  const value = (sorted[Math.floor(last / 2)] + sorted[Math.ceil(last / 2)]) / 2;
  const reach = 0.5 / Math.sqrt(Math.max(1, values.length / ALIKE));
  const [low, high] = [sorted[Math.floor(last * (0.5 - reach))], sorted[Math.ceil(last * (0.5 + reach))]];
  return { value, error: (high - low) / 2 };
}

/** Indexes of all samples in [from, to]. */
export function indexesIn(store, from, to) {
  const indexes = [];
  for (let i = store.indexAt(from); i < store.size && store.time(i) <= to; i++) indexes.push(i);
  return indexes;
}

/** What an engine did in the seconds `indexes`, each as `{ value, error }`; rates and CPU over those with requests. */
export function statsOf(store, indexes) {
  const column = (key) => indexes.map((i) => store.value(key, i)).filter((value) => value === value);
  const busy = indexes.filter((i) => store.value("requests_per_sec", i) > 0);
  const loaded = (key) => busy.map((i) => store.value(key, i)).filter((value) => value === value);
  const total = (key) => column(key).reduce((sum, value) => sum + value, 0);
  const [failed, succeeded] = [total("errors"), total("successes")];
  const share = failed / (failed + succeeded);
  const clients = column("clients");
  return {
    seconds: busy.length,
    throughput: median(loaded("successes_per_sec")),
    p50: median(column("p50")),
    p95: median(column("p95")),
    p99: median(column("p99")),
    errors: { value: 100 * share, error: 100 * Math.sqrt((share * (1 - share)) / (failed + succeeded)) },
    connections: { value: clients.length ? Math.max(...clients) : NaN, error: 0 },
    memory: median(column("memory_mb")),
    perConnection: perConnection(store, indexes),
    cpu: median(loaded("cpu")),
    cpuPerRequest: median(loaded("cpu_micros_per_request")),
  };
}

/** Memory for each connection while most were held. */
function perConnection(store, indexes) {
  const most = Math.max(0, ...indexes.map((i) => store.value("clients", i) || 0));
  if (most < ENOUGH_CONNECTIONS) return { value: NaN, error: NaN };
  const crowded = indexes.filter((i) => store.value("clients", i) >= MOST * most);
  return median(crowded.map((i) => store.value("bytes_per_connection", i)).filter((value) => value === value));
}
