/**
 * Runs attempts: which may begin, which wait, which are current.
 *
 * R1 An attempt counts against the bounds until its exchange is gone, so a hostile endpoint cannot hold more than they say.
 * R2 An attempt is planned at the moment it begins, from the committed state; what it replays is what was durable when its
 *    effect left, or a later `forward` of it did.
 * R3 A hint that does not fit is dropped, and derived from state again when there is room.
 */
import { StorageError } from "../base/storage-error.ts";
import type { Clock } from "../base/clock.ts";
import { errorFields, type Log } from "../base/log.ts";
import { MESSAGE_BYTES_MAX_DEFAULT } from "../../sdk/protocol/limits.ts";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { invocationContentType } from "../../sdk/protocol/version.ts";
import { present } from "../base/assert.ts";
import type {
  AcknowledgeCommand,
  CloseAttempt,
  Forward,
  ReadyPage,
  StartAttempt,
} from "../machine/effect.ts";
import type { Reader } from "../machine/tx.ts";
import type { AttemptRunner, Door } from "../processor/ports.ts";
import { Attempt, type AttemptContext } from "./attempt.ts";
import { openingOf, planAttempt, type ReadyPlan } from "./attempt-plan.ts";
import { endpointOf, pathOf } from "./endpoint.ts";
import { internalFailure } from "./failures.ts";
import { ReadyScan } from "./ready-scan.ts";
import { type After, afterTimeout, Sweep } from "./sweep.ts";
import type { ExchangeRequest, Transport } from "./transport.ts";
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

/** An attempt that may begin, with all that it needs. */
interface Prepared {
  readonly plan: ReadyPlan;
  readonly request: ExchangeRequest;
  readonly knownEntries: number;
}

/** Why there is none: `full` is the deployment without room. */
type NotPrepared = { readonly full: string } | null;

export class Attempts implements AttemptRunner {
  readonly #options: AttemptsOptions;
  readonly #context: AttemptContext;
  readonly #timeouts: { readonly inactivityTimeoutMs: number; readonly abortTimeoutMs: number };
  readonly #attemptsMax: number;
  readonly #attemptsPerDeploymentMax: number;
  readonly #inFlight = new Set<Attempt>();
  readonly #perDeployment = new Map<string, number>();
  /** By seq: the attempt whose epoch was the last to start. */
  readonly #current = new Map<number, Attempt>();
  readonly #waiting: WaitingStarts;
  readonly #scan: ReadyScan;
  readonly #sweep: Sweep;
  readonly #atEndOfTurn: (fn: () => void) => void;
  #pending: Attempt[] = [];
  #isStopped = false;
  #onDrained: (() => void) | null = null;

  constructor(options: AttemptsOptions) {
    const { door, clock, waitingMax = 10_000, after } = options;
    this.#options = options;
    this.#timeouts = {
      inactivityTimeoutMs: options.inactivityTimeoutMs ?? 60_000,
      abortTimeoutMs: options.abortTimeoutMs ?? 600_000,
    };
    this.#attemptsMax = options.attemptsMax ?? 1000;
    this.#attemptsPerDeploymentMax = options.attemptsPerDeploymentMax ?? 1000;
    this.#waiting = new WaitingStarts(waitingMax);
    this.#scan = new ReadyScan(door, waitingMax);
    this.#sweep = new Sweep(() => this.#expire(), after ?? afterTimeout);
    this.#atEndOfTurn = after === undefined ? queueMicrotask : (fn) => void after(0, fn);
    this.#context = {
      door,
      messageBytesMax: options.messageBytesMax ?? MESSAGE_BYTES_MAX_DEFAULT,
      drainTimeoutMs: options.drainTimeoutMs ?? 5000,
      nowMs: () => clock.nowMs(),
      monotonicMs: options.monotonicMs ?? (() => performance.now()),
      onPending: (attempt) => this.#flushSoon(attempt),
      onClosed: (attempt) => this.#release(attempt),
    };
  }

  /** Attempts whose exchange is open, those that only drain included. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Derives the attempts of all running invocations: once, when the process has started. */
  recover(): void {
    this.#scan.want();
    this.#scan.proceed(this.#waiting.room);
  }

  start(effect: StartAttempt): void {
    if (this.#isStopped) return;
    const current = this.#current.get(effect.seq);
    if (current !== undefined && current.ref.epoch >= effect.epoch) return;
    const isWaiting = this.#waiting.has(effect.seq);
    if (!isWaiting && this.#inFlight.size < this.#attemptsMax) return this.#begin(effect);
    if (!this.#waiting.add(effect)) this.#scan.want();
  }

  forward(effect: Forward): void {
    const current = this.#current.get(effect.seq);
    if (current !== undefined && current.ref.epoch === effect.epoch) current.forward(effect);
    else this.#waiting.raise(effect.seq, effect.epoch, effect.index + 1);
  }

  acknowledge(effect: AcknowledgeCommand): void {
    const current = this.#current.get(effect.seq);
    if (current !== undefined && current.ref.epoch === effect.epoch) current.acknowledge(effect);
  }

  close(effect: CloseAttempt): void {
    const current = this.#current.get(effect.seq);
    if (current === undefined || current.ref.epoch !== effect.epoch) return;
    if (!current.isOver) current.cut();
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

  #begin(start: WaitingStart | StartAttempt): void {
    const prepared = this.#prepare(start);
    if (prepared === null) return;
    if ("full" in prepared) return this.#park(prepared.full, start);
    const { plan, request, knownEntries } = prepared;
    this.#supersede(start.seq);
    const attempt = new Attempt(plan, knownEntries, this.#context);
    this.#inFlight.add(attempt);
    this.#current.set(start.seq, attempt);
    const { deploymentId } = attempt.ref;
    this.#perDeployment.set(deploymentId, this.#countOf(deploymentId) + 1);
    attempt.connect(this.#options.transport.open(request, attempt));
    this.#sweep.cover(attempt.shortestTimeoutMs);
  }

  #park(deploymentId: string, { seq, epoch, knownEntries }: WaitingStart | StartAttempt): void {
    if (this.#waiting.room > 0) this.#waiting.park(deploymentId, { seq, epoch, knownEntries });
    else this.#scan.want();
  }

  /** A defect in what is stored of one invocation fails its attempt, not the process. */
  #prepare(start: WaitingStart | StartAttempt): Prepared | NotPrepared {
    try {
      return this.#options.door.read((reader) => this.#prepareIn(reader, start));
    } catch (error) {
      if (error instanceof StorageError) throw error;
      const { seq, epoch } = start;
      this.#options.log.error("attempt-not-started", { seq, epoch, ...errorFields(error) });
      const attempt = { seq, epoch, deploymentId: "", protocolVersion: 0 };
      this.#options.door.submit({ type: "fail", attempt, ...internalFailure(error) });
      return null;
    }
  }

  #prepareIn(reader: Reader, start: WaitingStart | StartAttempt): Prepared | NotPrepared {
    const plan = planAttempt(reader, start, this.#timeouts);
    if (plan.kind === "stale") return null;
    if (plan.kind === "refused") {
      this.#options.door.submit(plan.input);
      return null;
    }
    const { deployment, service, handler } = plan.resolved;
    if (this.#countOf(deployment.id) >= this.#attemptsPerDeploymentMax)
      return { full: deployment.id };
    const invocation = present(reader.invocation(start.seq), `invocation ${start.seq}`);
    const id = invocationIdToString(invocation.id);
    const { knownEntries } = start;
    const body = openingOf(reader, invocation, id, knownEntries, this.#context.nowMs());
    const endpoint = endpointOf(deployment);
    const contentType = invocationContentType(plan.version);
    const request: ExchangeRequest = {
      endpoint,
      path: pathOf(endpoint, `/invoke/${service.name}/${handler.name}`),
      headers: {
        ...endpoint.headers,
        "content-type": contentType,
        accept: contentType,
        "x-restate-invocation-id": id,
      },
      body,
      bodyComplete: !plan.isBidirectional,
    };
    return { plan, request, knownEntries };
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
