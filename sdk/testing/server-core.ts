/** The server without its outer shells: the real processor, machine, invoker and ingress, over a store in memory and the clock of a test. */
import type { ServedHandler } from "../context/served-handler.ts";
import type { ServiceModel } from "../define/model.ts";
import { makeManifest, MAX_SPOKEN_VERSION } from "../endpoint/discovery.ts";
import { SERVER_NAME } from "../endpoint/router.ts";
import type { ManifestService, ProtocolMode } from "../protocol/manifest.ts";
import { silentLog } from "../../server/base/log.ts";
import { Ingress } from "../../server/ingress/ingress.ts";
import { ResultWaiters } from "../../server/ingress/waiters.ts";
import { Attempts } from "../../server/invoker/attempts.ts";
import type { Reply, StartAttempt } from "../../server/machine/effect.ts";
import type { Input } from "../../server/machine/input.ts";
import type { Deployment } from "../../server/machine/registry.ts";
import { DEFAULT_SETTINGS, type MachineSettings } from "../../server/machine/settings.ts";
import type { Reader } from "../../server/machine/tx.ts";
import type { AttemptRunner, LiveAttempts } from "../../server/processor/ports.ts";
import { Processor } from "../../server/processor/processor.ts";
import { MemoryStore } from "../../server/store/memory-store.ts";
import type { Faults } from "./faults.ts";
import { FaultyDoor } from "./faulty-door.ts";
import { InProcessTransport } from "./in-process-transport.ts";
import { seededRandom } from "./seeded-random.ts";
import type { VirtualClock } from "./virtual-clock.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** Longer than any test goes on in its own time, unless a service says otherwise: journals stay to be looked at. */
const RETENTION_MS = 10 * 365 * DAY_MS;

const SETTINGS: MachineSettings = {
  ...DEFAULT_SETTINGS,
  journalRetentionMs: RETENTION_MS,
  idempotencyRetentionMs: RETENTION_MS,
  workflowRetentionMs: RETENTION_MS,
  protocolVersionMax: MAX_SPOKEN_VERSION,
};

/** A handler that waits for longer is suspended, and goes on in another attempt. */
const INACTIVITY_TIMEOUT_MS = 1000;

export interface ServerCoreOptions {
  readonly clock: VirtualClock;
  readonly faults: Faults;
  readonly models: readonly ServiceModel[];
  readonly find: (service: string, handler: string) => ServedHandler | undefined;
  readonly alwaysReplay: boolean;
  readonly onDefect: (error: unknown) => void;
}

export class ServerCore {
  readonly #processor: Processor;
  readonly #transport: InProcessTransport;
  readonly #attempts: Attempts;
  readonly #starts = new Map<number, number>();
  readonly handle: Ingress["handle"];
  readonly #options: ServerCoreOptions;
  #lastSeq = 0;

  constructor(options: ServerCoreOptions) {
    const { clock, faults, find, onDefect } = options;
    this.#options = options;
    const waiters = new ResultWaiters();
    const { after } = clock;
    this.#processor = new Processor({
      store: new MemoryStore(),
      clock,
      settings: SETTINGS,
      schedule: (run) => void after(0, run),
      onFatal: onDefect,
      onDefect,
    });
    this.#transport = new InProcessTransport({ clock, find });
    this.#attempts = new Attempts({
      door: new FaultyDoor(this.#processor, faults, (why) => this.#transport.cutDelivering(why)),
      transport: this.#transport,
      clock,
      log: silentLog,
      protocolVersionMax: MAX_SPOKEN_VERSION,
      inactivityTimeoutMs: INACTIVITY_TIMEOUT_MS,
      monotonicMs: () => clock.nowMs(),
      after,
    });
    const timers = {
      arm: ({ dueMs }: { readonly dueMs: number }) =>
        void after(dueMs - clock.nowMs(), () => this.#processor.submit({ type: "timers-due" })),
    };
    this.#processor.connect({ attempts: this.#counted(this.#attempts), timers, waiters });
    this.handle = new Ingress({
      door: this.#processor,
      waiters,
      clock,
      random: seededRandom(),
      after,
      onError: onDefect,
    }).handle;
  }

  get live(): LiveAttempts {
    return this.#attempts;
  }

  /** No handler and no step does anything by itself. */
  get isAtRest(): boolean {
    return this.#transport.isAtRest;
  }

  /** The answer comes when the clock has let it happen. */
  ask(input: (replyTo: number) => Input): Promise<Reply> {
    return new Promise((resolve) => this.#processor.ask(input, resolve));
  }

  read<T>(fn: (reader: Reader) => T): T {
    return this.#processor.read(fn);
  }

  register(): Promise<Reply> {
    const deployment = this.#deployment();
    return this.ask((replyTo) => ({ type: "register-deployment", deployment, replyTo }));
  }

  /** How many attempts an invocation has had. */
  attemptsOf(seq: number): number {
    return this.#starts.get(seq) ?? 0;
  }

  /** The seqs of all invocations that ever ran, and of those before them. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  stop(): void {
    this.#processor.stop();
    this.#transport.kill();
  }

  #counted(attempts: Attempts): AttemptRunner {
    return {
      start: (effect: StartAttempt) => {
        const { seq } = effect;
        this.#starts.set(seq, this.attemptsOf(seq) + 1);
        this.#lastSeq = Math.max(this.#lastSeq, seq);
        attempts.start(effect);
      },
      forward: (effect) => attempts.forward(effect),
      acknowledge: (effect) => attempts.acknowledge(effect),
      acknowledgeRun: (effect) => attempts.acknowledgeRun(effect),
      suspend: (effect) => attempts.suspend(effect),
      close: (effect) => attempts.close(effect),
      readyPage: (effect) => attempts.readyPage(effect),
    };
  }

  #deployment(): Deployment {
    const { alwaysReplay, clock, models } = this.#options;
    const protocolMode: ProtocolMode = alwaysReplay ? "REQUEST_RESPONSE" : "BIDI_STREAM";
    const manifest = makeManifest(models, { protocolMode });
    return {
      id: "dp_testing",
      uri: "http://testing.invalid/",
      protocolMode,
      httpVersion: "HTTP/2.0",
      minProtocolVersion: manifest.minProtocolVersion,
      maxProtocolVersion: manifest.maxProtocolVersion,
      sdkVersion: SERVER_NAME,
      additionalHeaders: {},
      metadata: {},
      createdAtMs: clock.nowMs(),
      drainingSinceMs: null,
      services: manifest.services.map((service) => testable(service, alwaysReplay)),
    };
  }
}

/** A test calls private handlers as other services do. Where every await is to replay, state is read one piece at a time. */
function testable(service: ManifestService, alwaysReplay: boolean): ManifestService {
  const isLazy = alwaysReplay && service.ty !== "SERVICE";
  const options = { ingressPrivate: false, ...(isLazy && { enableLazyState: true }) };
  const handlers = service.handlers.map((handler) => ({ ...handler, ...options }));
  return { ...service, ...options, handlers };
}
