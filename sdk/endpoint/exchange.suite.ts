/** For tests: a handler driven by frames, without a socket. */
import assert from "node:assert/strict";
import type { Context } from "../define/context.ts";
import type { ServiceDefinition } from "../define/definition.ts";
import type { JournalValueCodec } from "../define/journal-value-codec.ts";
import type { LogMetadata } from "../define/logger.ts";
import type { DefaultServiceOptions, ServiceOptions } from "../define/options.ts";
import { service } from "../define/service.ts";
import { decodeMessage, encodeMessage } from "../protocol/codec.ts";
import { FrameDecoder } from "../protocol/frame.ts";
import { MessageType } from "../protocol/message-type.ts";
import type { Message, Start } from "../protocol/messages.ts";
import type { ProtocolVersion } from "../protocol/version.ts";
import { start } from "../replay/machine.suite.ts";
import { Invocation } from "./invoke.ts";
import { ServedServices } from "./served-services.ts";

export type TestHandler = (ctx: Context, input: string) => Promise<unknown>;
/** A handler of a service, or the definition of something named S with a handler named h. */
export type Tested = TestHandler | ServiceDefinition<string, unknown>;

/** The clock stands still, so that wake-up times can be compared. */
export const NOW_MS = 1_700_000_000_000;

export interface ExchangeOptions {
  readonly version?: ProtocolVersion;
  readonly options?: ServiceOptions;
  /** Of the endpoint. */
  readonly defaults?: DefaultServiceOptions;
  readonly codec?: () => Promise<JournalValueCodec>;
  /** Instead of what Start says otherwise. */
  readonly start?: Partial<Start>;
  /** Bytes the sink takes before it is full. */
  readonly sinkBytes?: number;
  readonly isLoggerBroken?: boolean;
}

/** One attempt: feed it messages, look at what it wrote. */
export class Exchange {
  readonly invocation: Invocation;
  readonly log: (readonly [LogMetadata, ...unknown[]])[] = [];
  readonly #decoder = new FrameDecoder(1 << 25);
  #messages: Message[] = [];
  #writes = 0;
  #ended = 0;

  constructor(
    tested: Tested,
    {
      version = 6,
      options = {},
      defaults = {},
      codec,
      sinkBytes = Infinity,
      isLoggerBroken = false,
    }: ExchangeOptions = {},
  ) {
    const served = new ServedServices({
      services: [
        typeof tested === "function"
          ? service({ name: "S", handlers: { h: tested }, options })
          : tested,
      ],
      defaultServiceOptions: defaults,
      ...(codec !== undefined && { journalValueCodecProvider: codec }),
      logger: (...line) => {
        if (isLoggerBroken) throw new Error("the logger is broken");
        this.log.push(line);
      },
    }).find("S", "h");
    assert.ok(served);
    let room = sinkBytes;
    this.invocation = new Invocation({
      handler: served,
      version,
      sink: {
        write: (bytes) => {
          this.#take(bytes);
          room -= bytes.length;
          return room > 0;
        },
        end: (bytes) => {
          if (bytes !== undefined) this.#take(bytes);
          this.#ended += 1;
        },
      },
      host: {
        nowMs: () => NOW_MS,
        afterMicrotasks: (job) => {
          setImmediate(() => job.run());
        },
      },
      attemptHeaders: { "x-attempt": "1" },
    });
  }

  /** Start and the journal, in one piece. */
  static replaying(
    tested: Tested,
    entries: readonly Message[],
    options?: ExchangeOptions,
  ): Exchange {
    const exchange = new Exchange(tested, options);
    exchange.feed({ ...start(entries.length), ...options?.start }, ...entries);
    return exchange;
  }

  feed(...messages: Message[]): void {
    for (const message of messages) this.invocation.onData(encodeMessage(message));
  }

  closeInput(): void {
    this.invocation.onInputClosed();
  }

  get isEnded(): boolean {
    assert.ok(this.#ended <= 1, "ended more than once");
    return this.#ended === 1;
  }

  /** How often the sink was written to, the end not counted. */
  get writes(): number {
    return this.#writes;
  }

  /** What was written since the last look, once the handler has come to rest. */
  async written(): Promise<Message[]> {
    await rest();
    const messages = this.#messages;
    this.#messages = [];
    return messages;
  }

  async expectWritten(...messages: Message[]): Promise<void> {
    assert.deepEqual(await this.written(), messages);
  }

  /** The last message was an Error, and the response has ended. */
  async expectError(
    code: number,
    message: RegExp,
  ): Promise<Message & { type: typeof MessageType.Error }> {
    const error = (await this.written()).at(-1);
    assert.ok(error?.type === MessageType.Error, "the last message is no Error");
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.ok(this.isEnded);
    return error;
  }

  #take(bytes: Uint8Array): void {
    this.#writes += 1;
    this.#decoder.push(bytes);
    for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
      this.#messages.push(decodeMessage(frame.type, frame.body));
    }
  }
}

/** Long enough for every turn that a handler without timers needs. */
export async function rest(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
