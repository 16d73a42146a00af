/** What an attempt needs from where it runs. A test or a simulation brings its own. */

/** Work for later; an object, so that scheduling costs no closure. */
export interface Job {
  run(): void;
}

export interface Host {
  /** The wall clock, in milliseconds since the epoch. */
  nowMs(): number;
  /**
   * Runs the job once no microtask is left. By then all handlers have gone as far as they can without a new result, so
   * that whatever they do next, they do because of the result they are given.
   */
  afterMicrotasks(job: Job): void;
}

/** Where an attempt writes. */
export interface Sink {
  /** False: full. The attempt then waits for `onDrained` before it gives the handler anything more to do. */
  write(bytes: Uint8Array): boolean;
  /** The last bytes, if there are any; nothing is written after it. */
  end(bytes: Uint8Array | undefined): void;
}

/** Calls back after the microtasks that are queued now and those that they queue. */
type Defer = (callback: () => void) => void;

function findDefer(): Defer {
  // Called from a microtask, a tick comes after all microtasks, and before any I/O.
  if (typeof process !== "undefined" && typeof process.nextTick === "function") {
    return (callback) => process.nextTick(callback);
  }
  if (typeof setImmediate === "function") return (callback) => setImmediate(callback);
  return (callback) => setTimeout(callback, 0);
}

/** All attempts share one turn, however many have work. */
class Turn {
  readonly #defer = findDefer();
  #jobs: Job[] = [];
  readonly #runAll = (): void => {
    const jobs = this.#jobs;
    this.#jobs = [];
    for (const job of jobs) job.run();
  };
  readonly #deferAll = (): void => this.#defer(this.#runAll);

  add(job: Job): void {
    if (this.#jobs.push(job) === 1) queueMicrotask(this.#deferAll);
  }
}

const turn = new Turn();

/** The process this module runs in. */
export const defaultHost: Host = {
  nowMs: () => Date.now(),
  afterMicrotasks: (job) => turn.add(job),
};
