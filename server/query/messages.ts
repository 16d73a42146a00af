/** What the server and the process that answers queries say to each other. */
import type { Future } from "../../sdk/protocol/messages.ts";

export type QueryFormat = "json" | "arrow";

export type QueryAnswer =
  | { readonly ok: true; readonly contentType: string; readonly body: Uint8Array }
  | { readonly ok: false; readonly status: 400 | 429 | 500 | 503; readonly message: string };

/** The first thing the process is told. */
export interface OpenRequest {
  readonly type: "open";
  /** Of the database. */
  readonly file: string;
  /** Of the SQLite driver, absolute. */
  readonly driver: string;
  readonly version: string;
}

/** An attempt in flight, as far as views show it. */
export interface LiveRow {
  readonly seq: number;
  readonly epoch: number;
  readonly deploymentId: string;
  readonly server: string | null;
  readonly startedAtMs: number;
  readonly awaiting: Future | null;
}

export interface QueryRequest {
  readonly type: "query";
  readonly sql: string;
  readonly format: QueryFormat;
  readonly live: readonly LiveRow[];
  readonly nowMs: number;
  readonly rowsMax: number;
  readonly bytesMax: number;
}
