/**
 * Runs attempts: which may begin, which wait, which are current.
 *
 * R1 An attempt counts against the bounds until its exchange is gone, so a hostile endpoint cannot hold more than they say.
 * R2 An attempt is planned at the moment it begins, from the committed state; what it replays is what was durable when its
 *    effect left, or a later `forward` of it did.
 * R3 A hint that does not fit is dropped, and derived from state again when there is room.
 */
import type { Clock } from "../base/clock.ts";
import { afterTimeout } from "../base/timer.ts";
import type { Log } from "../base/log.ts";
import { MESSAGE_BYTES_MAX_DEFAULT } from "../../sdk/protocol/limits.ts";
import type { ProtocolVersion } from "../../sdk/protocol/version.ts";
import type {
  AcknowledgeCommand,
  AcknowledgeRun,
  CloseAttempt,
  Forward,
  ReadyPage,
  StartAttempt,
  SuspendAttempt,
} from "../machine/effect.ts";
import type { AttemptFailure } from "../machine/invocation.ts";
import type { Reader } from "../machine/tx.ts";
import { type Observer, SILENT } from "../processor/observer.ts";
import type { AttemptRunner, Door, LiveAttempt, LiveAttempts } from "../processor/ports.ts";
import { Attempt, type AttemptContext } from "./attempt.ts";
import { Breakers } from "./breakers.ts";
import { type Obstructed, Preparer, type PreparerOptions } from "./prepare.ts";
import { ReadyScan } from "./ready-scan.ts";
import type { RequestIdentity } from "./request-identity.ts";
import { type After, Sweep } from "./sweep.ts";
import type { Transport } from "./transport.ts";
import { type WaitingStart, WaitingStarts } from "./waiting-starts.ts";

export interface AttemptsOptions {
  readonly door: Door;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  /** In flight, all deployments together. Default 1000. */
  readonly attemptsMax?: number;
  /** In flight, each deployment. Default 1000. */
  readonly attemptsPerDeploymentMax?: number;
  /** Waiting for room. Default 10,000. */
  readonly waitingMax?: number;
  readonly messageBytesMax?: number;
  /** Names and values of state that a handler is told without asking. Default 8 MiB. */
  readonly eagerStateBytesMax?: number;
  /** For SDKs of others; our own speaks the highest. Default 6. */
  readonly protocolVersionMax?: ProtocolVersion;
  /** Signs requests. Default null: they are not signed. */
  readonly identity?: RequestIdentity | null;
  readonly observer?: Observer;
  /** No attempt begins before `letGo`. Default false. */
  readonly isHeld?: boolean;
  /** Where neither handler nor service says otherwise. Default 60 s. */
  readonly inactivityTimeoutMs?: number;
  /** Where neither handler nor service says otherwise. Default 10 min. */
  readonly abortTimeoutMs?: number;
  /** How long the rest of a response is read and dropped. Default 5 s. */
  readonly drainTimeoutMs?: number;
  /** Milliseconds that only rise. Default `performance.now`. */
  readonly monotonicMs?: () => number;
  /** Default: timers of the event loop, and its microtasks for what is to be done at the end of a turn. */
  readonly after?: After;
}

const EAGER_STATE_BYTES_MAX = 8 * 1024 * 1024;

export class Attempts implements AttemptRunner, LiveAttempts {
  readonly #options: AttemptsOptions;
  readonly #context: AttemptContext;
  readonly #preparer: Preparer;
  readonly #attemptsMax: number;
  readonly #attemptsPerDeploymentMax: number;
  readonly #inFlight = new Set<Attempt>();
  readonly #perDeployment = new Map<string, number>();
  /** By seq: the attempt whose epoch was the last to start. */
  readonly #current = new Map<number, Attempt>();
  readonly #waiting: WaitingStarts;
  readonly #breakers: Breakers;
  readonly #scan: ReadyScan;
  readonly #sweep: Sweep;
  readonly #atEndOfTurn: (fn: () => void) => void;
  #pending: Attempt[] = [];
  #isStopped = false;
  #isHeld: boolean;
  #onDrained: (() => void) | null = null;

  constructor(options: AttemptsOptions) {
    const { door, clock, log, waitingMax = 10_000, after } = options;
    this.#options = options;
    this.#isHeld = options.isHeld ?? false;
    this.#attemptsMax = options.attemptsMax ?? 1000;
    this.#attemptsPerDeploymentMax = options.attemptsPerDeploymentMax ?? 1000;
    this.#waiting = new WaitingStarts(waitingMax);
    this.#scan = new ReadyScan(door, waitingMax);
    this.#breakers = new Breakers({
      after: after ?? afterTimeout,
      log,
      onRelease: (start) => this.#admit(start),
      onDropped: () => this.recover(),
    });
    this.#sweep = new Sweep(() => this.#expire(), after ?? afterTimeout);
    this.#atEndOfTurn = after === undefined ? queueMicrotask : (fn) => void after(0, fn);
    const observer = options.observer ?? SILENT;
    const nowMs = (): number => clock.nowMs();
    this.#preparer = new Preparer({
      ...preparing(options),
      observer,
      obstacle: (deploymentId) => this.#obstacle(deploymentId),
      nowMs,
    });
    this.#context = {
      door,
      messageBytesMax: options.messageBytesMax ?? MESSAGE_BYTES_MAX_DEFAULT,
      drainTimeoutMs: options.drainTimeoutMs ?? 5000,
      log,
      observer,
      nowMs,
      monotonicMs: options.monotonicMs ?? (() => performance.now()),
      onPending: (attempt) => this.#flushSoon(attempt),
      onAnswered: ({ ref }) => this.#breakers.answered(ref.deploymentId),
      onUnreachable: (attempt) => this.#breakers.unreachable(attempt.ref.deploymentId, attempt),
      onClosed: (attempt) => this.#release(attempt),
    };
  }

  /** Attempts whose exchange is open, those that only drain included. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  get waiting(): number {
    return this.#waiting.size + this.#breakers.held;
  }

  /** The current attempt of an invocation. */
  of(seq: number): LiveAttempt | undefined {
    const current = this.#current.get(seq);
    return current === undefined || current.isOver ? undefined : current.live;
  }

  *all(): Iterable<LiveAttempt> {
    for (const attempt of this.#current.values()) if (!attempt.isOver) yield attempt.live;
  }

  /** The deployment that this invocation waits for because it cannot be reached; undefined where it waits for none. */
  unreachable(seq: number): string | undefined {
    return this.#breakers.holding(seq);
  }

  /** Nothing begins: what runs waits until an operator lets go. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** What was held begins, derived from state: the hints that came meanwhile were dropped. */
  letGo(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.recover();
  }

  /** Derives the attempts of all running invocations: once, when the process has started. */
  recover(): void {
    if (this.#isHeld) return;
    this.#scan.want();
    this.#scan.proceed(this.#waiting.room);
  }

  start({ seq, epoch, knownEntries }: StartAttempt): void {
    this.#admit({ seq, epoch, knownEntries });
  }

  forward(effect: Forward): void {
    const current = this.#currentOf(effect);
    if (current !== undefined) current.forward(effect);
    else this.#raise(effect);
  }

  acknowledge(effect: AcknowledgeCommand): void {
    this.#currentOf(effect)?.acknowledge(effect);
  }

  acknowledgeRun(effect: AcknowledgeRun): void {
    const current = this.#currentOf(effect);
    if (current !== undefined) current.acknowledgeRun(effect);
    else this.#raise(effect);
  }

  /** One that waits for room is left there: its turn finds that the invocation has moved on. */
  suspend(effect: SuspendAttempt): void {
    const current = this.#currentOf(effect);
    if (current !== undefined) return current.halfClose();
    const { seq, epoch } = effect;
    return this.#options.door.submit({ type: "yield", seq, epoch });
  }

  close(effect: CloseAttempt): void {
    const current = this.#currentOf(effect);
    if (current === undefined || current.isOver) return;
    const refusal = this.#options.door.read((reader) => refusalOf(reader, effect));
    if (refusal !== null) current.refused(refusal);
    current.cut();
  }

  readyPage(effect: ReadyPage): void {
    this.#scan.pageDone(effect.lastSeq);
    if (!this.#isStopped) this.#scan.proceed(this.#waiting.room);
  }

  /** Begins nothing more, asks what runs to suspend, and after `deadlineMs` cuts what is left. */
  async shutdown(deadlineMs: number): Promise<void> {
    this.#isStopped = true;
    for (const attempt of this.#inFlight) attempt.halfClose();
    await this.#drained(deadlineMs);
    for (const attempt of this.#inFlight) attempt.cut();
    this.#sweep.stop();
    this.#breakers.stop();
    this.#options.transport.close();
  }

  #drained(deadlineMs: number): Promise<void> {
    if (this.#inFlight.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = (this.#options.after ?? afterTimeout)(deadlineMs, resolve);
      this.#onDrained = () => {
        cancel();
        resolve();
      };
    });
  }

  #currentOf({
    seq,
    epoch,
  }: {
    readonly seq: number;
    readonly epoch: number;
  }): Attempt | undefined {
    const current = this.#current.get(seq);
    return current?.ref.epoch === epoch ? current : undefined;
  }

  /** An attempt that has not begun yet replays what became durable meanwhile. */
  #raise({ seq, epoch, index }: Pick<Forward, "seq" | "epoch" | "index">): void {
    this.#waiting.raise(seq, epoch, index + 1);
    this.#breakers.raise(seq, epoch, index + 1);
  }

  #admit(start: WaitingStart): void {
    if (this.#isStopped || this.#isHeld) return;
    const current = this.#current.get(start.seq);
    if (current !== undefined && current.ref.epoch >= start.epoch) return;
    const isWaiting = this.#waiting.has(start.seq);
    if (!isWaiting && this.#inFlight.size < this.#attemptsMax) return this.#begin(start);
    if (!this.#waiting.add(start)) this.#scan.want();
  }

  #begin(start: WaitingStart): void {
    const prepared = this.#preparer.prepare(start);
    if (prepared === null) return;
    if (prepared.kind !== "prepared") return this.#wait(prepared, start);
    const { options, request } = prepared;
    this.#supersede(start.seq);
    const attempt = new Attempt(options, this.#context);
    this.#inFlight.add(attempt);
    this.#current.set(start.seq, attempt);
    const { deploymentId } = attempt.ref;
    this.#perDeployment.set(deploymentId, this.#countOf(deploymentId) + 1);
    this.#breakers.began(deploymentId, attempt);
    attempt.connect(this.#options.transport.open(request, attempt));
    return this.#sweep.cover(attempt.shortestTimeoutMs);
  }

  #wait({ kind, deploymentId }: Obstructed, start: WaitingStart): void {
    if (kind === "unreachable") this.#breakers.hold(deploymentId, start);
    else if (this.#waiting.room > 0) this.#waiting.park(deploymentId, { ...start });
    else this.#scan.want();
  }

  #obstacle(deploymentId: string): Obstructed["kind"] | null {
    if (!this.#breakers.admits(deploymentId)) return "unreachable";
    return this.#countOf(deploymentId) < this.#attemptsPerDeploymentMax ? null : "full";
  }

  /** Only the newest attempt of an invocation is current; an older one has at most its drain left. */
  #supersede(seq: number): void {
    const older = this.#current.get(seq);
    if (older !== undefined && !older.isOver) older.cut();
  }

  #release(attempt: Attempt): void {
    const { seq, deploymentId } = attempt.ref;
    this.#inFlight.delete(attempt);
    if (this.#current.get(seq) === attempt) this.#current.delete(seq);
    const left = this.#countOf(deploymentId) - 1;
    if (left > 0) this.#perDeployment.set(deploymentId, left);
    else this.#perDeployment.delete(deploymentId);
    this.#breakers.released(deploymentId, attempt);
    if (this.#isStopped) {
      if (this.#inFlight.size === 0) this.#onDrained?.();
      return;
    }
    this.#fill(deploymentId);
    // Nothing of this deployment is left whose end would let another one begin: those who wait for it may run elsewhere now.
    if (this.#countOf(deploymentId) === 0) {
      this.#waiting.unpark(deploymentId);
      this.#fill(deploymentId);
    }
  }

  /** Those who waited for this deployment came before those who wait for room in general. */
  #fill(deploymentId: string): void {
    while (this.#inFlight.size < this.#attemptsMax) {
      const hasRoom = this.#countOf(deploymentId) < this.#attemptsPerDeploymentMax;
      const parked = hasRoom ? this.#waiting.takeParked(deploymentId) : undefined;
      const start = parked ?? this.#waiting.take();
      if (start === undefined) break;
      this.#begin(start);
    }
    this.#scan.proceed(this.#waiting.room);
  }

  #countOf(deploymentId: string): number {
    return this.#perDeployment.get(deploymentId) ?? 0;
  }

  #flushSoon(attempt: Attempt): void {
    if (this.#pending.length === 0) this.#atEndOfTurn(this.#flush);
    this.#pending.push(attempt);
  }

  readonly #flush = (): void => {
    const attempts = this.#pending;
    this.#pending = [];
    for (const attempt of attempts) attempt.flush();
  };

  #expire(): number {
    const nowMs = this.#context.monotonicMs();
    const othersWait = this.#waiting.size > 0;
    let shortestMs = Infinity;
    for (const attempt of this.#inFlight) {
      attempt.expire(nowMs, othersWait);
      shortestMs = Math.min(shortestMs, attempt.shortestTimeoutMs);
    }
    return shortestMs;
  }
}

/** Why the machine refused what the attempt said; null when it was closed for another reason. */
function refusalOf(reader: Reader, { seq, epoch }: CloseAttempt): AttemptFailure | null {
  const invocation = reader.invocation(seq);
  if (invocation === undefined || invocation.epoch !== epoch + 1) return null;
  const { status } = invocation.state;
  return status === "backing-off" || status === "paused" ? invocation.lastFailure : null;
}

function preparing(
  options: AttemptsOptions,
): Omit<PreparerOptions, "observer" | "obstacle" | "nowMs"> {
  return {
    door: options.door,
    log: options.log,
    defaults: {
      inactivityTimeoutMs: options.inactivityTimeoutMs ?? 60_000,
      abortTimeoutMs: options.abortTimeoutMs ?? 600_000,
      protocolVersionMax: options.protocolVersionMax ?? 6,
    },
    eagerStateBytesMax: options.eagerStateBytesMax ?? EAGER_STATE_BYTES_MAX,
    identity: options.identity ?? null,
  };
}
