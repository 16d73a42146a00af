/**
 * An AI agent as one ordinary function: the model decides, tools act, a person is asked before money moves. Each answer of the
 * model and each result of a tool is recorded, so that a crash neither asks the model again nor pays twice.
 */
import { type Context, service, TerminalError, TimeoutError } from "@holdfast/sdk";
import { type Decision, decisionOf, type Message, type Model } from "./model.ts";
import type { Tool } from "./tools.ts";

export interface Task {
  /** What the agent is to do, in words. */
  readonly goal: string;
}

/** What the agent wants to do and must not do by itself. */
export interface ApprovalRequest {
  /** An answer has to name it, so that one for an earlier request does not count for this one. */
  readonly id: string;
  readonly tool: string;
  readonly input: Readonly<Record<string, string>>;
}

/** The event "status", for whoever watches. */
export interface Status {
  readonly phase: "thinking" | "working" | "waiting-for-approval" | "done" | "failed";
  /** What happened so far, a line each. */
  readonly steps: readonly string[];
  /** While it waits for approval. */
  readonly request?: ApprovalRequest;
  /** At the end. */
  readonly answer?: string;
}

/** A message on the topic "approvals". */
export interface Approval {
  /** The id of the request it answers. */
  readonly request: string;
  readonly approved: boolean;
  readonly comment?: string;
}

export interface AgentOptions {
  readonly model: Model;
  readonly tools: ReadonlyMap<string, Tool>;
  /** Whoever has not answered by then has said no. */
  readonly approvalTimeoutMs: number;
}

/** A model that never comes to an end costs money. */
const TURNS_MAX = 12;

/** `Agent/run`. */
export function agentService(options: AgentOptions) {
  return service({
    name: "Agent",
    handlers: {
      run: async (ctx: Context, task: Task): Promise<{ answer: string }> => {
        const goal = goalOf(task);
        const progress = new Progress(ctx);
        try {
          const answer = await converse(ctx, goal, progress, options);
          progress.publish("done", { answer });
          return { answer };
        } catch (error) {
          // Anything else than a final failure is a crash, and tried again.
          if (error instanceof TerminalError) progress.publish("failed", { answer: error.message });
          throw error;
        }
      },
    },
    // The status stays readable for a day after the end.
    options: { journalRetention: { days: 1 } },
  });
}

async function converse(
  ctx: Context,
  goal: string,
  progress: Progress,
  options: AgentOptions,
): Promise<string> {
  const transcript: Message[] = [{ role: "user", content: goal }];
  for (let turn = 1; turn <= TURNS_MAX; turn += 1) {
    progress.publish("thinking");
    const said = await options.model(ctx, transcript);
    transcript.push({ role: "assistant", content: said });
    const decision = decisionOf(said);
    if (decision !== undefined && "answer" in decision) return decision.answer;
    const result = await act(ctx, decision, `request-${turn}`, progress, options);
    transcript.push({ role: "user", content: result });
    progress.steps.push(result);
  }
  throw new TerminalError(`no answer after ${TURNS_MAX} turns`);
}

/** What the model is told about what it decided: the result of the tool, or why there is none. */
async function act(
  ctx: Context,
  decision: Exclude<Decision, { answer: string }> | undefined,
  id: string,
  progress: Progress,
  options: AgentOptions,
): Promise<string> {
  if (decision === undefined) return "not understood: answer with one JSON object as described";
  const { tool: name, input } = decision;
  const tool = options.tools.get(name);
  if (tool === undefined) return `there is no tool ${name}`;
  if (tool.needsApproval) {
    progress.publish("waiting-for-approval", { request: { id, tool: name, input } });
    const approval = await approvalOf(ctx, id, options.approvalTimeoutMs);
    if (approval === undefined) return `${name} denied: nobody answered in time`;
    if (!approval.approved) return `${name} denied: ${approval.comment ?? "no reason given"}`;
  }
  progress.publish("working");
  const result = await ctx.run(name, (step) => tool.run(input, step), { timeout: { minutes: 1 } });
  return `${name}: ${result}`;
}

/** The answer to this request; undefined when there is none in time. An answer to another request begins the time anew. */
async function approvalOf(
  ctx: Context,
  id: string,
  timeoutMs: number,
): Promise<Approval | undefined> {
  try {
    for (;;) {
      const message = await ctx.recv<unknown>("approvals", { timeout: timeoutMs });
      if (isApproval(message) && message.request === id) return message;
    }
  } catch (error) {
    if (error instanceof TimeoutError) return undefined;
    throw error;
  }
}

/** Messages come from outside, in whatever form. */
function isApproval(message: unknown): message is Approval {
  if (typeof message !== "object" || message === null) return false;
  if (!("request" in message) || !("approved" in message)) return false;
  return typeof message.request === "string" && typeof message.approved === "boolean";
}

/** A mistake of the caller is final: trying again would not mend it. */
function goalOf(task: Partial<Task> | undefined): string {
  if (typeof task?.goal === "string" && task.goal !== "") return task.goal;
  throw new TerminalError("a task has a goal, in words", { errorCode: 400 });
}

class Progress {
  readonly steps: string[] = [];
  readonly #ctx: Context;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  publish(phase: Status["phase"], more: Omit<Status, "phase" | "steps"> = {}): void {
    this.#ctx.setEvent<Status>("status", { phase, steps: this.steps, ...more });
  }
}
