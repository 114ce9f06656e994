// Samples as an engine has them on disk, so that a test need not wait for 15 minutes; src/history/log.rs has the form.

import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import zlib from "node:zlib";

const PIECE = 60;
const numbers = (...values) => Buffer.from(Uint32Array.from(values).buffer);

/**
 * Writes a row a second for `seconds` up to `end` (Unix time, s) into the state directory of `engine`: `fields` are their names as
 * `/history` gives them, `values(n)` the values of second `n` by name.
 */
export function record(state, engine, fields, seconds, end, values) {
  const directory = path.join(state, engine, "history");
  mkdirSync(directory, { recursive: true });
  const names = zlib.crc32(JSON.stringify(fields));
  const records = [];
  for (let n = 0; n < seconds; n += PIECE) {
    const times = Array.from({ length: Math.min(PIECE, seconds - n) }, (_, i) => n + i);
    const first = end - seconds + n;
    const text = times.map((at) => JSON.stringify([end - seconds + at, ...fields.map((name) => values(at)[name] ?? null)])).join(",");
    const rows = zlib.deflateRawSync(text, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
    const head = Buffer.concat([Buffer.from("FGH\x01"), numbers(names, 1, first, first + times.length - 1, text.length, zlib.crc32(text), rows.length)]);
    records.push(head, numbers(zlib.crc32(rows, zlib.crc32(head))), rows);
  }
  writeFileSync(path.join(directory, `${end - seconds}.samples`), Buffer.concat(records));
}
