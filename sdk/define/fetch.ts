/** How `ctx.fetch` asks, and when it asks again. */
import type { RunOptions } from "./context.ts";

export type FetchOptions = Omit<RunOptions<Response>, "serde"> & {
  /** Of the step, in the journal. Default: `GET https://example.org/path`, without the query. */
  name?: string;
  /** The answers with which the step counts as failed and is tried again. Default: 408, 425, 429, 500, 502, 503 and 504. */
  retryOn?: (status: number) => boolean;
  /** Default: the global one. */
  fetch?: typeof globalThis.fetch;
};
