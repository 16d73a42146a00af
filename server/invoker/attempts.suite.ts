/** Attempts over a network that the test plays itself. */
import assert from "node:assert/strict";
import { decodeMessage, encodeBody } from "../../sdk/protocol/codec.ts";
import { MessageType, messageTypeName } from "../../sdk/protocol/message-type.ts";
import type { Start } from "../../sdk/protocol/messages.ts";
import { silentLog } from "../base/log.ts";
import type { Forward, StartAttempt } from "../machine/effect.ts";
import type { Deployment } from "../machine/registry.ts";
import { Attempts, type AttemptsOptions } from "./attempts.ts";
import { deployment, FakeDoor, framesOf, runCompletion } from "./fixtures.suite.ts";
import type { Exchange, ExchangeHandler, ExchangeRequest, Transport } from "./transport.ts";
import type { HttpEndpoint } from "./endpoint.ts";

export const CONTENT_TYPE = "application/vnd.restate.invocation.v6";

export class FakeExchange implements Exchange {
  readonly request: ExchangeRequest<HttpEndpoint>;
  readonly handler: ExchangeHandler;
  readonly writes: Uint8Array[] = [];
  isPaused = false;
  /** What `write` answers. */
  isWritable = true;
  isEnded = false;
  isReset = false;

  constructor(request: ExchangeRequest<HttpEndpoint>, handler: ExchangeHandler) {
    this.request = request;
    this.handler = handler;
    this.isEnded = request.bodyComplete;
  }

  write(bytes: Uint8Array): boolean {
    assert(!this.isEnded, "written after the end");
    this.writes.push(bytes);
    return this.isWritable;
  }

  end(): void {
    this.isEnded = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  reset(): void {
    if (this.isReset) return;
    this.isReset = true;
    process.nextTick(() => this.handler.onClose());
  }

  head(status = 200, contentType: string | undefined = CONTENT_TYPE, server?: string): this {
    this.handler.onHead({ status, contentType, retryAfter: undefined, server });
    return this;
  }

  data(bytes: Uint8Array): this {
    this.handler.onData(bytes);
    return this;
  }

  /** The endpoint ends its response, and with that the exchange is over. */
  finish(): this {
    this.handler.onEnd();
    this.handler.onClose();
    return this;
  }

  get frames(): string[] {
    return this.writes.flatMap((bytes) => framesOf(bytes).map(({ type }) => messageTypeName(type)));
  }
}

class FakeTransport implements Transport<HttpEndpoint> {
  readonly exchanges: FakeExchange[] = [];
  isClosed = false;

  open(request: ExchangeRequest<HttpEndpoint>, handler: ExchangeHandler): FakeExchange {
    const exchange = new FakeExchange(request, handler);
    this.exchanges.push(exchange);
    return exchange;
  }

  close(): void {
    this.isClosed = true;
  }

  at(index: number): FakeExchange {
    const exchange = this.exchanges[index];
    assert(exchange !== undefined, `there is no exchange ${index}`);
    return exchange;
  }
}

interface World {
  readonly door: FakeDoor;
  readonly transport: FakeTransport;
  readonly attempts: Attempts;
}

/** Runs `test` and leaves no timer behind. */
export async function inWorld(
  options: Partial<AttemptsOptions>,
  test: (world: World) => void | Promise<void>,
  registered: readonly Deployment[] = [deployment()],
): Promise<void> {
  const door = new FakeDoor();
  for (const each of registered) door.register(each);
  const transport = new FakeTransport();
  const clock = { nowMs: () => 1000 };
  const attempts = new Attempts({ door, transport, clock, log: silentLog, ...options });
  try {
    await test({ door, transport, attempts });
  } finally {
    await attempts.shutdown(0);
  }
}

export function start(seq: number, over: Partial<StartAttempt> = {}): StartAttempt {
  return { type: "start-attempt", seq, epoch: 0, knownEntries: 1, ...over };
}

export function forward(seq: number, index: number, over: Partial<Forward> = {}): Forward {
  const message = runCompletion(index);
  const { type: messageType } = message;
  return { type: "forward", seq, epoch: 0, index, messageType, body: encodeBody(message), ...over };
}

export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

export function startOf(exchange: FakeExchange): Start {
  const [frame] = framesOf(exchange.request.body);
  assert(frame !== undefined);
  const message = decodeMessage(frame.type, frame.body);
  assert(message.type === MessageType.Start);
  return message;
}
