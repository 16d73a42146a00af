/** How far the history is, in commits: which segment brings it where, and who waits for that. */

type Done = (error: Error | null) => void;

/** Where a segment brings the history to. */
export interface Mark {
  readonly seq: number;
  /** Commits that are in it or before it; null: that is not known yet. */
  readonly commits: number | null;
  /** When the oldest of them was made. */
  readonly sinceMs: number;
}

interface Waiter {
  readonly commits: number;
  readonly done: Done;
}

export class Progress {
  readonly #marks: Mark[] = [];
  readonly #waiters: Waiter[] = [];
  /** -1: the log may hold what an earlier process committed. */
  #shippedCommits = -1;
  #failure: Error | null = null;

  /** Commits that are accepted. */
  get shippedCommits(): number {
    return this.#shippedCommits;
  }

  /** Of the oldest segment under way. */
  get sinceMs(): number | null {
    return this.#marks[0]?.sinceMs ?? null;
  }

  /** The newest commit that somebody waits for. */
  get awaitedCommits(): number {
    return this.#waiters.at(-1)?.commits ?? -1;
  }

  appended(mark: Mark): void {
    this.#marks.push(mark);
  }

  /** So many commits are in what was appended so far: also those that came while it was cut, and are in it by chance. */
  covered(commits: number): void {
    const last = this.#marks.pop();
    if (last === undefined) this.shipped(commits);
    else this.#marks.push({ ...last, commits: Math.max(last.commits ?? 0, commits) });
  }

  /** In the order of the numbers. */
  accepted(seq: number): void {
    while ((this.#marks[0]?.seq ?? Number.POSITIVE_INFINITY) <= seq) {
      const commits = this.#marks.shift()?.commits;
      if (typeof commits === "number") this.shipped(commits);
    }
  }

  shipped(commits: number): void {
    this.#shippedCommits = Math.max(this.#shippedCommits, commits);
    while ((this.#waiters[0]?.commits ?? Number.POSITIVE_INFINITY) <= this.#shippedCommits) {
      this.#waiters.shift()?.done(null);
    }
  }

  /** Calls back, never at once, when so many commits are accepted. Commits never fall from call to call. */
  wait(commits: number, done: Done): void {
    const failure = this.#failure;
    if (failure === null && this.#shippedCommits < commits) this.#waiters.push({ commits, done });
    else queueMicrotask(() => done(failure));
  }

  /** Nothing will be accepted any more. */
  fail(error: Error): void {
    this.#failure ??= error;
    for (const { done } of this.#waiters.splice(0)) done(this.#failure);
  }
}
