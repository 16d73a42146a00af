/**
 * One approval out of several people. Whoever does not answer in a week is passed over for the next in line, and may still answer: all
 * links stay open until the first answer.
 */
import { type Context, RestatePromise, TerminalError, TimeoutError } from "@holdfast/sdk";

/** What an approver posts to the link in the mail. Rejecting the link is a no as well. */
export interface Answer {
  readonly approved: boolean;
  readonly comment?: string;
}

export interface Approving {
  /** How long each approver has before the next one is asked, too. */
  readonly patienceMs: number;
  /** Tells an approver the link; executed as a step, with its idempotency key. */
  readonly ask: (approver: string, link: string, key: string) => void;
  /** Called whenever one more was asked, with all of them; may use the context. */
  readonly onAsked: (asked: readonly string[]) => void;
}

/** Who approved. Throws `TerminalError`: 403 when the first answer is a no, 408 when there is none at all. */
export async function approverOf(
  ctx: Context,
  approvers: readonly string[],
  { patienceMs, ask, onAsked }: Approving,
): Promise<string> {
  const answers: RestatePromise<Answer & { by: string }>[] = [];
  for (const [index, approver] of approvers.entries()) {
    const { id, promise } = ctx.awakeable<Answer>();
    await ctx.run(`ask ${approver}`, (step) => ask(approver, id, step.idempotencyKey));
    onAsked(approvers.slice(0, index + 1));
    answers.push(promise.map((answer, failure) => answerOf(approver, answer, failure)));
    try {
      return yesOf(await RestatePromise.race(answers).orTimeout(patienceMs));
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
    }
  }
  throw new TerminalError(`nobody answered: ${approvers.join(", ")}`, { errorCode: 408 });
}

function yesOf({ by, approved, comment }: Answer & { by: string }): string {
  if (approved) return by;
  const why = comment === undefined ? "" : `: ${comment}`;
  throw new TerminalError(`${by} said no${why}`, { errorCode: 403 });
}

/** Answers come from outside: only a clear yes is one. */
function answerOf(by: string, answer?: Partial<Answer>, failure?: TerminalError) {
  const comment = failure?.message ?? answer?.comment;
  return {
    by,
    approved: answer?.approved === true,
    ...(typeof comment === "string" && { comment }),
  };
}
