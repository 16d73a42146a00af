/** Replay tests: today's code over the journal of an invocation of some other day. */
import { setImmediate, setTimeout } from "node:timers";
import type { Host } from "../context/host.ts";
import type { ServedHandler } from "../context/served-handler.ts";
import type { ServiceDefinition } from "../define/definition.ts";
import { Invocation } from "../endpoint/invoke.ts";
import { type EndpointOptions, ServedServices } from "../endpoint/served-services.ts";
import { encodeMessage } from "../protocol/codec.ts";
import { encodeFrame, FrameDecoder } from "../protocol/frame.ts";
import { parseInvocationId } from "../protocol/ids.ts";
import type { JournalFixture } from "../protocol/journal-fixture.ts";
import { MessageType } from "../protocol/message-type.ts";
import { decodeMessage } from "../protocol/codec.ts";
import type { ErrorMessage } from "../protocol/messages.ts";
import { randomSeed } from "../protocol/random-seed.ts";
import { MAX_PROTOCOL_VERSION, type ProtocolVersion } from "../protocol/version.ts";
import { type JournalSource, readFixture } from "./fixture-file.ts";
import { failed, notFinished, type ReplayError, unusable } from "./replay-error.ts";

const TIMEOUT_MS = 5000;
/** What a handler writes that has come to its end. */
const DONE: readonly MessageType[] = [MessageType.OutputCommand, MessageType.End];
const MESSAGE_BYTES_MAX = 512 * 1024 * 1024;

export interface ReplayOptions extends Pick<
  EndpointOptions,
  "defaultServiceOptions" | "journalValueCodecProvider" | "logger"
> {
  /**
   * False: the handler may give another result than the one that was recorded. The operations before it are compared all the same.
   * Default true.
   */
  readonly compareOutput?: boolean;
  /** How long the handler may take, which executes no step. Milliseconds of real time. Default 5000. */
  readonly timeoutMs?: number;
}

/** What a replay that found no difference has seen. */
export interface ReplayReport {
  /** Entries of the journal, all of which today's code agrees with. */
  readonly entries: number;
  /** The handler came to its end; otherwise it would go on from the end of the journal. */
  readonly isComplete: boolean;
}

/**
 * Runs today's code of a handler over a recorded journal, as a server would that lets the invocation go on. No step is executed and
 * nothing leaves the process. Rejects with `ReplayError` where the code does something else than the journal holds: deploying it
 * under this invocation would break it. Resolves when the code agrees with all of the journal, be it complete or not.
 *
 * @example
 * // holdfast journal export inv_1… --output test/place.json
 * await replay(checkout, new URL("./place.json", import.meta.url));
 */
export async function replay(
  service: ServiceDefinition<string, unknown>,
  journal: JournalSource,
  options: ReplayOptions = {},
): Promise<ReplayReport> {
  const fixture = await readFixture(journal);
  const { compareOutput = true, timeoutMs = TIMEOUT_MS, logger = () => {} } = options;
  const served = new ServedServices({ ...options, logger, services: [service] });
  const handler = served.find(fixture.service, fixture.handler);
  if (handler === undefined) {
    throw unusable(fixture, `"${service.name}" has no such handler`);
  }
  const entries = fixture.entries.filter(
    ({ type }) => compareOutput || type !== MessageType.OutputCommand,
  );
  const reader = new Replayer({ ...fixture, entries }, handler);
  const isComplete = await reader.run(timeoutMs);
  return { entries: entries.length, isComplete };
}

class Replayer {
  readonly #fixture: JournalFixture;
  readonly #invocation: Invocation;
  readonly #id: Uint8Array;
  readonly #decoder = new FrameDecoder(MESSAGE_BYTES_MAX);
  readonly #isDone: Promise<boolean>;
  #resolve: (isComplete: boolean) => void = () => {};
  #reject: (error: ReplayError) => void = () => {};

  constructor(fixture: JournalFixture, handler: ServedHandler) {
    const id = parseInvocationId(fixture.invocation);
    if (id === undefined) throw unusable(fixture, "that is no invocation id");
    this.#id = id;
    this.#fixture = fixture;
    this.#isDone = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#invocation = new Invocation({
      handler: { ...handler, hooks: [...handler.hooks, () => ({ interceptor: this.#steps })] },
      version: versionOf(fixture),
      sink: {
        write: (bytes) => {
          this.#onBytes(bytes);
          return true;
        },
        end: (bytes) => bytes && this.#onBytes(bytes),
      },
      host: this.#host(),
    });
  }

  /** A step that is to be executed is one that the journal has no result of: all that was recorded has been repeated. */
  readonly #steps = {
    run: (): Promise<void> => {
      this.#resolve(false);
      return new Promise(() => {});
    },
  };

  async run(timeoutMs: number): Promise<boolean> {
    const timer = setTimeout(() => this.#reject(notFinished(this.#fixture, timeoutMs)), timeoutMs);
    try {
      this.#feed();
      return await this.#isDone;
    } finally {
      clearTimeout(timer);
      this.#invocation.onAborted();
    }
  }

  #feed(): void {
    const { entries, invocation, key } = this.#fixture;
    this.#invocation.onData(
      encodeMessage({
        type: MessageType.Start,
        id: this.#id,
        debugId: invocation,
        knownEntries: entries.length,
        // What was read of the state stands in the journal; what was not is read beyond it.
        state: [],
        partialState: true,
        key: key ?? "",
        retryCountSinceLastStoredEntry: 0,
        durationSinceLastStoredEntryMs: 0,
        randomSeed: randomSeed(this.#id),
      }),
    );
    for (const { type, body } of entries) {
      this.#invocation.onData(encodeFrame(type, Buffer.from(body, "base64")));
    }
    this.#invocation.onInputClosed();
  }

  /** It writes nothing before all that was recorded is repeated, but for an error. */
  #onBytes(bytes: Uint8Array): void {
    this.#decoder.push(bytes.slice());
    for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
      const message = decodeMessage(frame.type, frame.body);
      if (message.type === MessageType.Error) this.#onError(message);
      else this.#resolve(DONE.includes(message.type));
    }
  }

  #onError(error: ErrorMessage): void {
    this.#reject(failed(this.#fixture, error));
  }

  /** The time at which the invocation began: what of it matters stands in the journal. */
  #host(): Host {
    const startedMs = Date.parse(this.#fixture.entries[0]?.at ?? "");
    return {
      nowMs: () => (Number.isNaN(startedMs) ? 0 : startedMs),
      afterMicrotasks: (job) => void setImmediate(() => job.run()),
    };
  }
}

function versionOf(fixture: JournalFixture): ProtocolVersion {
  const version = fixture.protocolVersion ?? MAX_PROTOCOL_VERSION;
  if (version === 5 || version === 6 || version === 7) return version;
  throw unusable(
    fixture,
    `it is of version ${version} of the service protocol, which is not spoken`,
  );
}
