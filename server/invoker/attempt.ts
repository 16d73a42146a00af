/**
 * One attempt on its exchange: the session's bytes onto the wire and back, half-close, timeouts, drain, back-pressure.
 *
 * T1 The request half is closed as soon as the attempt is over: some SDKs end their response only then (protocol 3.5).
 * T2 After that the rest of the response is dropped, for a bounded time and a bounded number of bytes; then the exchange is
 *    reset.
 * T3 Entries are forwarded only while the request half is open; an endpoint that does not read loses that half, since it
 *    finds them in its next replay.
 */
import type { Log } from "../base/log.ts";
import type { AcknowledgeCommand, AcknowledgeRun, Forward } from "../machine/effect.ts";
import type { AttemptRef } from "../machine/input.ts";
import type { AttemptFailure } from "../machine/invocation.ts";
import { type Observer, SILENT } from "../processor/observer.ts";
import type { Door, LiveAttempt } from "../processor/ports.ts";
import type { ReadyPlan } from "./attempt-plan.ts";
import { type AttemptSubject, logFailure } from "./attempt-report.ts";
import { aborted, type Failing, networkFailure } from "./failures.ts";
import { EXCERPT_BYTES_MAX, headProblem, sdkVersionOf, withExcerpt } from "./response-head.ts";
import { type Ending, Session } from "./session.ts";
import type { StepWatch } from "./step-watch.ts";
import type { Exchange, ExchangeHandler, ResponseHead } from "./transport.ts";

/** Enough for what an SDK sends before it notices that it is over; a firehose is cut. */
const DRAIN_BYTES_MAX = 4 * 1024 * 1024;

/** Forwarded and not yet taken by the transport. A single larger entry is forwarded all the same. */
const PENDING_BYTES_MAX = 8 * 1024 * 1024;

const NO_BYTES = Buffer.alloc(0);

/** How long an attempt may be quiet while others wait for room. */
const CROWDED_QUIET_MS_MAX = 1000;

/** What the attempts of a runner share. */
export interface AttemptContext {
  readonly door: Pick<Door, "submit" | "isCongested" | "whenRelieved">;
  readonly messageBytesMax: number;
  readonly drainTimeoutMs: number;
  readonly log: Log;
  readonly observer: Observer;
  /** Wall clock, for HTTP dates and for what people read. */
  nowMs(): number;
  /** Milliseconds that only rise, for timeouts. */
  monotonicMs(): number;
  /** The attempt has bytes to flush at the end of this turn. */
  onPending(attempt: Attempt): void;
  /** There is a response. */
  onAnswered(attempt: Attempt): void;
  /** The exchange broke before there was a response. */
  onUnreachable(attempt: Attempt): void;
  /** The attempt holds no resources any more. */
  onClosed(attempt: Attempt): void;
}

/** What one attempt is made of. */
export interface AttemptOptions {
  readonly subject: AttemptSubject;
  readonly plan: ReadyPlan;
  readonly knownEntries: number;
  /** What the exchange is opened with. */
  readonly openingBytes: number;
  /** Null when nobody traces. */
  readonly steps: StepWatch | null;
}

/**
 * - awaiting-head: no response yet
 * - streaming: messages are taken
 * - refused: the head was bad; `problem` and an excerpt of the body make the failure
 * - draining: the attempt is over; what comes is dropped
 * - closed: the exchange is gone
 */
type Phase = "awaiting-head" | "streaming" | "refused" | "draining" | "closed";

export class Attempt implements ExchangeHandler {
  readonly ref: AttemptRef;
  readonly #subject: AttemptSubject;
  readonly #plan: ReadyPlan;
  readonly #context: AttemptContext;
  readonly #session: Session;
  #exchange: Exchange | null = null;
  #phase: Phase = "awaiting-head";
  #isRequestOpen: boolean;
  #isWritable = true;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Of the last frame in either direction. */
  #lastFrameMs: number;
  /** Of the last frame received, or the half-close. */
  #lastReceivedMs: number;
  #drainUntilMs = 0;
  #drainedBytes = 0;
  #problem: Failing | null = null;
  #excerpt: Buffer = NO_BYTES;
  readonly #startedAtMs: number;
  #ending: { readonly how: Ending; readonly atMs: number } | null = null;
  #sdkVersion: string | null = null;
  #sentBytes: number;
  #receivedBytes = 0;

  constructor(options: AttemptOptions, context: AttemptContext) {
    const { subject, plan, knownEntries, openingBytes, steps } = options;
    this.ref = plan.attempt;
    this.#subject = subject;
    this.#plan = plan;
    this.#context = context;
    this.#isRequestOpen = plan.isBidirectional;
    this.#sentBytes = openingBytes;
    this.#session = new Session({
      attempt: this.ref,
      door: context.door,
      knownEntries,
      messageBytesMax: context.messageBytesMax,
      steps,
      onOver: (ending) => this.#onOver(ending),
    });
    this.#startedAtMs = context.nowMs();
    this.#lastFrameMs = context.monotonicMs();
    this.#lastReceivedMs = this.#lastFrameMs;
  }

  /** The exchange that carries this attempt; set once, right after the constructor. */
  connect(exchange: Exchange): void {
    this.#exchange = exchange;
  }

  /** It does not count as current any more: what it says is dropped. */
  get isOver(): boolean {
    return this.#session.isOver;
  }

  /** What operators are told of it while it is current. */
  get live(): LiveAttempt {
    const { seq, epoch, deploymentId } = this.ref;
    return {
      seq,
      epoch,
      deploymentId,
      sdkVersion: this.#sdkVersion,
      startedAtMs: this.#startedAtMs,
      awaitingOn: this.#session.awaitingOn,
    };
  }

  /** The shortest of its timeouts: how often it has to be looked at. */
  get shortestTimeoutMs(): number {
    const { isBidirectional, inactivityTimeoutMs, abortTimeoutMs } = this.#plan;
    const { drainTimeoutMs } = this.#context;
    return Math.min(
      isBidirectional ? inactivityTimeoutMs : Infinity,
      abortTimeoutMs,
      drainTimeoutMs,
    );
  }

  forward({ index, messageType, body }: Forward): void {
    if (!this.#isRequestOpen) return;
    const bytes = this.#session.forward(index, messageType, body);
    if (bytes !== undefined) this.#enqueue(bytes);
  }

  acknowledge({ commandIndex }: AcknowledgeCommand): void {
    if (this.#isRequestOpen) this.#enqueue(this.#session.acknowledge(commandIndex));
  }

  acknowledgeRun({ index, completionId }: AcknowledgeRun): void {
    if (!this.#isRequestOpen) return;
    const bytes = this.#session.acknowledgeRun(index, completionId);
    if (bytes !== undefined) this.#enqueue(bytes);
  }

  /** Hands what was forwarded in this turn to the transport, as one write. */
  flush(): void {
    if (!this.#isWritable || this.#pending.length === 0 || !this.#isRequestOpen) return;
    this.#lastFrameMs = this.#context.monotonicMs();
    this.#isWritable = this.#write();
  }

  /** Asks the endpoint to finish what it can and to suspend. */
  halfClose(): void {
    if (!this.#isRequestOpen) return;
    this.#write();
    this.#isRequestOpen = false;
    this.#lastReceivedMs = this.#context.monotonicMs();
    this.#exchange?.end();
  }

  /** The machine refused what the attempt said, and recorded why. */
  refused(failure: AttemptFailure): void {
    logFailure(this.#context.log, this.#subject, this.ref.deploymentId, failure);
  }

  /** Cuts the attempt without a word: the machine has decided already, or the process stops. */
  cut(): void {
    this.#session.abandon();
    this.#phase = "draining";
    this.#isRequestOpen = false;
    this.#exchange?.reset();
  }

  /**
   * Looks at the timeouts (service protocol 8.14). While others wait for room a quiet attempt is asked to suspend sooner: it
   * may be waiting for one of them.
   */
  expire(nowMs: number, othersWait: boolean): void {
    const { abortTimeoutMs } = this.#plan;
    const quietMsMax = othersWait ? CROWDED_QUIET_MS_MAX : Number.POSITIVE_INFINITY;
    const inactivityTimeoutMs = Math.min(this.#plan.inactivityTimeoutMs, quietMsMax);
    if (this.#phase === "refused") {
      if (nowMs >= this.#drainUntilMs) this.#refuse();
    } else if (this.#phase === "draining") {
      if (nowMs >= this.#drainUntilMs) this.#exchange?.reset();
    } else if (this.#isRequestOpen) {
      if (nowMs - this.#lastFrameMs >= inactivityTimeoutMs) this.halfClose();
    } else if (nowMs - this.#lastReceivedMs >= abortTimeoutMs) {
      this.#session.fail(aborted(abortTimeoutMs));
      this.#drain();
    }
  }

  onHead(head: ResponseHead): void {
    if (this.#phase !== "awaiting-head") return;
    this.#problem = headProblem(head, this.#plan.version, this.#context.nowMs());
    this.#phase = this.#problem === null ? "streaming" : "refused";
    this.#sdkVersion = sdkVersionOf(head.server);
    if (this.#problem !== null) {
      this.halfClose();
      this.#limitDrain();
    }
    this.#context.onAnswered(this);
  }

  onData(chunk: Uint8Array): void {
    this.#receivedBytes += chunk.length;
    if (this.#phase === "streaming") return this.#receive(chunk);
    if (this.#phase === "refused") {
      this.#excerpt = Buffer.concat([this.#excerpt, chunk.subarray(0, EXCERPT_BYTES_MAX)]);
      return this.#excerpt.length >= EXCERPT_BYTES_MAX ? this.#refuse() : undefined;
    }
    this.#drainedBytes += chunk.length;
    return this.#drainedBytes > DRAIN_BYTES_MAX ? this.#exchange?.reset() : undefined;
  }

  onEnd(): void {
    if (this.#phase === "refused") return this.#refuse();
    this.#session.receiveEnd();
    return this.#drain();
  }

  onWritable(): void {
    this.#isWritable = true;
    this.flush();
  }

  onError(message: string): void {
    if (this.#phase === "refused") this.#refuse();
    else this.#session.fail(networkFailure(message));
    if (this.#phase === "awaiting-head") this.#context.onUnreachable(this);
    this.#phase = "draining";
  }

  onClose(): void {
    if (this.#phase === "closed") return;
    if (this.#phase === "refused") this.#refuse();
    this.#session.fail(networkFailure("the connection was closed"));
    this.#phase = "closed";
    this.#isRequestOpen = false;
    this.#pending = [];
    this.#report();
    this.#context.onClosed(this);
  }

  #onOver(how: Ending): void {
    this.#ending = { how, atMs: this.#context.nowMs() };
    if (how.status !== "failed") return;
    logFailure(this.#context.log, this.#subject, this.ref.deploymentId, how.failing.failure);
  }

  #report(): void {
    const { observer } = this.#context;
    if (observer === SILENT || this.#ending === null) return;
    const { how, atMs: endedAtMs } = this.#ending;
    const { deploymentId, protocolVersion } = this.ref;
    // Field by field: an object that begins with a spread is built without a known shape, which cost 2 % of a small call.
    const { invocationId, target, epoch, trace } = this.#subject;
    observer.attempt({
      invocationId,
      target,
      epoch,
      trace,
      deploymentId,
      uri: this.#plan.resolved.deployment.uri,
      protocolVersion,
      startedAtMs: this.#startedAtMs,
      endedAtMs,
      status: how.status,
      failure: how.status === "failed" ? how.failing.failure : null,
      sentBytes: this.#sentBytes,
      receivedBytes: this.#receivedBytes,
    });
  }

  #receive(chunk: Uint8Array): void {
    if (this.#session.receive(chunk) > 0) {
      this.#lastReceivedMs = this.#context.monotonicMs();
      this.#lastFrameMs = this.#lastReceivedMs;
    }
    if (this.#session.isOver) this.#drain();
    else if (this.#context.door.isCongested) this.#holdBack();
  }

  /** What it brought waits to be applied: no more of it until that is done. */
  #holdBack(): void {
    this.#exchange?.pause();
    this.#context.door.whenRelieved(() => this.#exchange?.resume());
  }

  #drain(): void {
    if (this.#phase === "draining") return;
    this.#phase = "draining";
    this.#pending = [];
    this.halfClose();
    this.#limitDrain();
  }

  #limitDrain(): void {
    this.#drainUntilMs = this.#context.monotonicMs() + this.#context.drainTimeoutMs;
  }

  /** A refusal is short; what it says is in the failure, and nothing is left to wait for. */
  #refuse(): void {
    if (this.#problem !== null) this.#session.fail(withExcerpt(this.#problem, this.#excerpt));
    this.#phase = "draining";
    this.#isRequestOpen = false;
    this.#exchange?.reset();
  }

  #enqueue(bytes: Uint8Array): void {
    if (this.#pendingBytes > PENDING_BYTES_MAX) return this.halfClose();
    if (this.#pending.length === 0) this.#context.onPending(this);
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    return undefined;
  }

  #write(): boolean {
    const [first] = this.#pending;
    if (first === undefined || this.#exchange === null) return true;
    const bytes = this.#pending.length === 1 ? first : Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#sentBytes += bytes.length;
    return this.#exchange.write(bytes);
  }
}
