/** Clock and turns in runtimes where what belongs to one request must not be done by another. */
import type { Host } from "../context/host.ts";

/** Runs a callback after all microtasks. `process.nextTick` does not everywhere: in Workers it is a microtask itself. */
const later: (callback: () => void) => void =
  typeof setImmediate === "function"
    ? (callback) => void setImmediate(callback)
    : (callback) => void setTimeout(callback, 0);

/**
 * Its turns are not shared: in Cloudflare Workers a timer of one request may neither write for another one nor outlive its
 * own.
 */
export const webHost: Host = {
  nowMs: () => Date.now(),
  afterMicrotasks: (job) => later(() => job.run()),
};
