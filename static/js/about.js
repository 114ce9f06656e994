// What the figures mean, in the same words on every page.

export const LATENCY = "From the last byte of a request to its answer, measured inside the server, over all answers, failed ones too. " +
  "Not in it: the network, and waiting before the server accepts a connection or reads the request. A server that is frozen shows a gap, not a high value.";
export const NO_REQUESTS = "No requests in this window";
export const NO_FAILURES = "No failed requests in this window";
