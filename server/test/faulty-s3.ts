/**
 * S3 on a bad day: a proxy in front of a store that delays, refuses, cuts, and forgets to answer, as it is told while it runs.
 * It passes headers on as they came, so that signatures stay valid.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";

/** What the store is like. Shares are from 0 to 1, of all requests; what none of them hits goes through. */
export interface Weather {
  /** Each request waits for this, and for up to `jitterMs` more. */
  readonly latencyMs: number;
  readonly jitterMs: number;
  /** 500 InternalError, without an effect. */
  readonly errors: number;
  /** 503 SlowDown, without an effect. */
  readonly slowDowns: number;
  /** The connection is cut, without an effect. */
  readonly resets: number;
  /** The request has its effect, and then the connection is cut. */
  readonly lostAnswers: number;
  /** The connection is cut at once, and the request has its effect up to `LATE_MS_MAX` later. */
  readonly late: number;
  /** Gone: connections are cut. Denied: 403 to everything. Silent: no answer to anything. */
  readonly state: "there" | "gone" | "denied" | "silent";
}

export const FINE: Weather = {
  latencyMs: 0,
  jitterMs: 0,
  errors: 0,
  slowDowns: 0,
  resets: 0,
  lostAnswers: 0,
  late: 0,
  state: "there",
};

export const LATE_MS_MAX = 3000;

type Fate = "pass" | "error" | "slow-down" | "reset" | "lost-answer" | "late";

interface Incoming {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: string[];
  readonly body: Buffer;
}

interface Outgoing {
  readonly status: number;
  readonly headers: string[];
  readonly body: Buffer;
}

export class FaultyS3 {
  readonly #target: URL;
  readonly #random: () => number;
  readonly #server: http.Server;
  readonly #agent = new http.Agent({ keepAlive: true });
  readonly #timers = new Set<NodeJS.Timeout>();
  #weather: Weather = FINE;
  /** Requests so far by method, whatever became of them. */
  readonly requests = new Map<string, number>();

  private constructor(target: string, random: () => number) {
    this.#target = new URL(target);
    this.#random = random;
    this.#server = http.createServer((request, response) => this.#take(request, response));
  }

  /** @param target address of the store behind it */
  static async start(target: string, random: () => number = Math.random): Promise<FaultyS3> {
    const proxy = new FaultyS3(target, random);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  get weather(): Weather {
    return this.#weather;
  }

  /** What is not named is fine. Whoever waits for a silent store is cut. */
  set(weather: Partial<Weather>): void {
    this.#weather = { ...FINE, ...weather };
    this.#server.closeAllConnections();
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    this.#agent.destroy();
  }

  #take(request: http.IncomingMessage, response: http.ServerResponse): void {
    const parts: Buffer[] = [];
    response.on("error", () => {});
    request.on("error", () => {});
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const { method = "", url, rawHeaders } = request;
      this.requests.set(method, (this.requests.get(method) ?? 0) + 1);
      const incoming = { method, url, headers: rawHeaders, body: Buffer.concat(parts) };
      const { latencyMs, jitterMs } = this.#weather;
      const delayMs = latencyMs + jitterMs * this.#random();
      if (delayMs > 0) this.#after(delayMs, () => this.#decide(incoming, response));
      else this.#decide(incoming, response);
    });
  }

  #decide(incoming: Incoming, response: http.ServerResponse): void {
    const { state } = this.#weather;
    if (state === "gone") return void response.destroy();
    if (state === "denied") return refuse(response, 403, "InvalidAccessKeyId");
    if (state === "silent") return;
    const fate = this.#fate();
    if (fate === "error") return refuse(response, 500, "InternalError");
    if (fate === "slow-down") return refuse(response, 503, "SlowDown");
    if (fate === "reset" || fate === "late") response.destroy();
    if (fate === "reset") return;
    if (fate === "late") {
      this.#after(this.#random() * LATE_MS_MAX, () => {
        this.#forward(incoming).catch(() => {});
      });
      return;
    }
    this.#pass(incoming, response, fate === "lost-answer").catch(() => response.destroy());
  }

  async #pass(incoming: Incoming, response: http.ServerResponse, isLost: boolean): Promise<void> {
    const { status, headers, body } = await this.#forward(incoming);
    if (isLost || response.destroyed) {
      response.destroy();
      return;
    }
    response.writeHead(status, headers);
    response.end(body);
  }

  #fate(): Fate {
    const { errors, slowDowns, resets, lostAnswers, late } = this.#weather;
    const shares: readonly (readonly [Fate, number])[] = [
      ["error", errors],
      ["slow-down", slowDowns],
      ["reset", resets],
      ["lost-answer", lostAnswers],
      ["late", late],
    ];
    let draw = this.#random();
    for (const [fate, share] of shares) {
      if (draw < share) return fate;
      draw -= share;
    }
    return "pass";
  }

  #forward({ method, url, headers, body }: Incoming): Promise<Outgoing> {
    const { hostname: host, port } = this.#target;
    return new Promise((resolve, reject) => {
      const request = http.request(
        { agent: this.#agent, host, port, method, path: url, headers },
        (answer) => {
          const parts: Buffer[] = [];
          answer.on("data", (part: Buffer) => parts.push(part));
          answer.on("error", reject);
          answer.on("end", () => {
            const { statusCode: status = 502, rawHeaders } = answer;
            resolve({ status, headers: rawHeaders, body: Buffer.concat(parts) });
          });
        },
      );
      request.on("error", reject);
      request.end(body);
    });
  }

  #after(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }
}

function refuse(response: http.ServerResponse, status: number, code: string): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  response.writeHead(status, { "content-type": "application/xml" });
  response.end(body);
}
