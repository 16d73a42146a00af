/**
 * SQL over read-only views of the database, for operators: `POST /query`. Queries are answered by a process of their own, one at a time,
 * with limits on time, rows and bytes. It starts with the first query and ends when none came for a while.
 */
import { systemClock } from "../base/clock.ts";
import type { LiveAttempt } from "../processor/ports.ts";
import type { LiveRow, QueryAnswer, QueryFormat } from "./messages.ts";
import { QueryProcess } from "./query-process.ts";

export type { QueryAnswer } from "./messages.ts";

export interface QueryEngine {
  /** Never rejects. */
  query(sql: string, format: QueryFormat): Promise<QueryAnswer>;
  /** Ends what is in progress. */
  close(): Promise<void>;
}

export interface QueryOptions {
  /** Of the database. */
  readonly file: string;
  /** The attempts in flight. */
  readonly live: () => Iterable<LiveAttempt>;
  readonly version: string;
  /** How long a query may run, not counting how long it waits for others. */
  readonly timeoutMs?: number;
  readonly rowsMax?: number;
  /** Of the answer. */
  readonly bytesMax?: number;
  /** How many queries may wait for another. */
  readonly waitingMax?: number;
  /** How long the process stays without a query. */
  readonly idleMs?: number;
}

const DEFAULTS = {
  timeoutMs: 30_000,
  rowsMax: 100_000,
  bytesMax: 64 * 1024 * 1024,
  waitingMax: 16,
  idleMs: 30_000,
} as const;

/** A process keeps what each query made until its end, so it is replaced from time to time. */
const QUERIES_MAX = 256;

const CLOSED: QueryAnswer = { ok: false, status: 503, message: "the server is shutting down" };

interface Waiting {
  readonly sql: string;
  readonly format: QueryFormat;
  readonly answer: (answer: QueryAnswer) => void;
}

export function openQueryEngine(options: QueryOptions): QueryEngine {
  return new Engine(options);
}

class Engine implements QueryEngine {
  readonly #options: Required<QueryOptions>;
  readonly #waiting: Waiting[] = [];
  #process: QueryProcess | null = null;
  #isBusy = false;
  #isClosed = false;
  #idle: NodeJS.Timeout | null = null;

  constructor(options: QueryOptions) {
    this.#options = { ...DEFAULTS, ...options };
  }

  query(sql: string, format: QueryFormat): Promise<QueryAnswer> {
    if (this.#isClosed) return Promise.resolve(CLOSED);
    if (this.#waiting.length >= this.#options.waitingMax) {
      const message = `${this.#waiting.length} queries are waiting already: try again in a moment`;
      return Promise.resolve({ ok: false, status: 429, message });
    }
    return new Promise((answer) => {
      this.#waiting.push({ sql, format, answer });
      if (!this.#isBusy) void this.#work();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#idle !== null) clearTimeout(this.#idle);
    for (const { answer } of this.#waiting.splice(0)) answer(CLOSED);
    await this.#process?.kill(CLOSED);
    this.#process = null;
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    if (this.#idle !== null) clearTimeout(this.#idle);
    for (;;) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      next.answer(await this.#run(next));
    }
    this.#isBusy = false;
    if (!this.#isClosed) this.#idle = setTimeout(() => this.#rest(), this.#options.idleMs).unref();
  }

  async #run(waiting: Waiting): Promise<QueryAnswer> {
    try {
      return await this.#ask(waiting);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { ok: false, status: 503, message: `the query could not be asked: ${reason}` };
    }
  }

  async #ask({ sql, format }: Waiting): Promise<QueryAnswer> {
    const { file, version, timeoutMs, rowsMax, bytesMax } = this.#options;
    if (this.#process === null || this.#process.isGone) {
      this.#process = new QueryProcess(file, version);
    }
    const process = this.#process;
    const live = this.#live(sql);
    const timer = setTimeout(() => {
      const message =
        `the query was ended after ${timeoutMs} ms: narrow it with a WHERE, ` +
        "ask for an invocation by its id, or look at fewer rows";
      void process.kill({ ok: false, status: 400, message });
    }, timeoutMs);
    const nowMs = systemClock.nowMs();
    const answer = await process.run({
      type: "query",
      sql,
      format,
      live,
      nowMs,
      rowsMax,
      bytesMax,
    });
    clearTimeout(timer);
    if (process.queries >= QUERIES_MAX) this.#rest();
    return answer;
  }

  /** Only a query about invocations needs them. */
  #live(sql: string): readonly LiveRow[] {
    return /sys_invocation/i.test(sql) ? [...this.#options.live()].map(liveRow) : [];
  }

  #rest(): void {
    void this.#process?.kill(CLOSED);
    this.#process = null;
  }
}

function liveRow(attempt: LiveAttempt): LiveRow {
  const { seq, epoch, deploymentId, sdkVersion, startedAtMs, awaitingOn } = attempt;
  return { seq, epoch, deploymentId, server: sdkVersion, startedAtMs, awaiting: awaitingOn };
}
