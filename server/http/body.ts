/**
 * Reads request bodies within two bounds: bytes of one body, and bytes of all bodies that are held at the same time.
 *
 * B1 Every byte read is taken from the budget, and given back exactly once: by the reader when the body does not arrive, by
 *    its receiver when it is done with it.
 */
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import type { Problem } from "./problem.ts";

/** A client still sends what was refused; it is listened to for this long, so that it comes to read its answer. */
const LINGER_MS = 2000;
const LINGER_BYTES_MAX = 64 * 1024 * 1024;

const EMPTY = new Uint8Array(0);

export class ByteBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes taken and not given back. */
  get bytes(): number {
    return this.#bytes;
  }

  /** False, and nothing is taken, when it would be too much. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

export interface BodyLimits {
  readonly bytesMax: number;
  readonly budget: ByteBudget;
}

/**
 * Calls one of the three: `onGone` when the client leaves first. `onBody` owns the body's share of the budget; a request
 * without a body is handed on at once.
 */
export function readBody(
  request: HttpRequest,
  response: HttpResponse,
  limits: BodyLimits,
  onBody: (body: Uint8Array) => void,
  onProblem: (problem: Problem) => void,
  onGone?: () => void,
): void {
  const {
    "content-length": contentLength,
    "transfer-encoding": encoding,
    expect,
  } = request.headers;
  const declaredBytes = contentLength === undefined ? 0 : Number(contentLength);
  const hasBody = request.hasBody ?? (declaredBytes > 0 || encoding !== undefined);
  if (!hasBody) return onBody(EMPTY);
  if (declaredBytes > limits.bytesMax) {
    onProblem(tooLarge(limits.bytesMax));
    return linger(request);
  }
  if (expect !== undefined) response.writeContinue();
  const reader = new BodyReader(request, limits, onBody, onProblem, onGone);
  request.on("data", reader.onData);
  request.on("end", reader.onEnd);
  request.on("close", reader.onGone);
  // A request that was answered before it was complete does not close with its connection.
  response.on("close", reader.onGone);
  return undefined;
}

class BodyReader {
  readonly #request: HttpRequest;
  readonly #limits: BodyLimits;
  readonly #onBody: (body: Uint8Array) => void;
  readonly #onProblem: (problem: Problem) => void;
  readonly #onGone: (() => void) | undefined;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #done = false;

  constructor(
    request: HttpRequest,
    limits: BodyLimits,
    onBody: (body: Uint8Array) => void,
    onProblem: (problem: Problem) => void,
    onGone: (() => void) | undefined,
  ) {
    this.#request = request;
    this.#limits = limits;
    this.#onBody = onBody;
    this.#onProblem = onProblem;
    this.#onGone = onGone;
  }

  readonly onData = (chunk: Buffer): void => {
    if (this.#done) return;
    const { bytesMax, budget } = this.#limits;
    if (this.#bytes + chunk.length > bytesMax) return this.#refuse(tooLarge(bytesMax));
    if (!budget.take(chunk.length)) return this.#refuse(OVERLOADED);
    this.#bytes += chunk.length;
    this.#chunks.push(chunk);
    return undefined;
  };

  readonly onEnd = (): void => {
    if (this.#done) return;
    this.#done = true;
    const body = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    // The request outlives its body by as long as the answer takes.
    this.#chunks.length = 0;
    this.#onBody(body ?? EMPTY);
  };

  readonly onGone = (): void => {
    if (this.#done) return;
    this.#giveUp();
    this.#onGone?.();
  };

  #refuse(problem: Problem): void {
    this.#giveUp();
    this.#onProblem(problem);
    linger(this.#request);
  }

  #giveUp(): void {
    this.#done = true;
    this.#limits.budget.give(this.#bytes);
    this.#chunks.length = 0;
  }
}

/** Closing at once would reset the connection and take the answer from a client that is still sending. */
function linger(request: HttpRequest): void {
  if (request.destroyed) return;
  let bytes = 0;
  const timer = setTimeout(() => request.destroy(), LINGER_MS);
  timer.unref();
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LINGER_BYTES_MAX) request.destroy();
  });
  const settled = (): void => clearTimeout(timer);
  request.on("end", settled);
  request.on("close", settled);
}

function tooLarge(bytesMax: number): Problem {
  const message = `the body is larger than ${bytesMax} bytes, the most that this server accepts`;
  return { status: 413, reason: "body-too-large", message };
}

const OVERLOADED: Problem = {
  status: 503,
  reason: "overloaded",
  message: "the server holds as many request bytes as it may; repeat the request in a moment",
};
