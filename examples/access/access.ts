/** Access to a system, from the request to the account: who has a say approves, then all of it is set up, or nothing. */
import { type Context, TerminalError, workflow, type WorkflowContext } from "@holdfast/sdk";
import { approverOf } from "./approval.ts";
import type { Directory } from "./directory.ts";
import { type Access, provisioningWorkflow } from "./provisioning.ts";

export interface AccessRequest {
  readonly person: string;
  readonly system: string;
  readonly reason: string;
}

/** The event "status". */
export type Status =
  | { readonly phase: "waiting"; readonly stage: string; readonly asked: readonly string[] }
  | { readonly phase: "setting-up"; readonly approvedBy: readonly string[] }
  | { readonly phase: "granted"; readonly access: Access }
  | { readonly phase: "not-granted"; readonly why: string };

export interface AccessOptions {
  /** How long each approver has before the next one is asked, too. */
  readonly patienceMs: number;
}

/** `AccessRequest/{id}/run`, and the workflow it starts for the second half, `Provisioning`. */
export function accessWorkflows(directory: Directory, options: AccessOptions) {
  const provisioning = provisioningWorkflow(directory);

  const accessRequest = workflow({
    name: "AccessRequest",
    handlers: {
      run: async (ctx: WorkflowContext, request: AccessRequest): Promise<Access> => {
        checkRequest(request);
        const access = await grantedAccess(ctx, request);
        publish(ctx, { phase: "granted", access });
        await tell(ctx, request, `You have access: ${access.account} in ${access.group}.`);
        return access;
      },
    },
    options: { workflowRetention: { days: 30 } },
  });

  /** Whatever fails for good, or is cancelled, until here: the person is told, and nothing is left behind. */
  async function grantedAccess(ctx: WorkflowContext, request: AccessRequest): Promise<Access> {
    try {
      const approvedBy = await approvals(ctx, request);
      publish(ctx, { phase: "setting-up", approvedBy });
      return await ctx.workflowClient(provisioning, ctx.key).run(request);
    } catch (error) {
      // Anything else than a final failure is a crash, and tried again.
      if (!(error instanceof TerminalError)) throw error;
      publish(ctx, { phase: "not-granted", why: error.message });
      await tell(ctx, request, `You do not get access: ${error.message}.`);
      throw error;
    }
  }

  /** Who approved, one for each stage. */
  async function approvals(ctx: Context, request: AccessRequest): Promise<string[]> {
    const stages = await ctx.run("look up approvers", () => directory.stagesFor(request.system));
    const about = describe(request);
    const approvedBy: string[] = [];
    for (const { stage, approvers } of stages) {
      const approver = await approverOf(ctx, approvers, {
        patienceMs: options.patienceMs,
        ask: (who, link, key) => directory.mail(who, { about, link }, key),
        onAsked: (asked) => publish(ctx, { phase: "waiting", stage, asked }),
      });
      approvedBy.push(approver);
    }
    return approvedBy;
  }

  async function tell(ctx: Context, request: AccessRequest, about: string): Promise<void> {
    await ctx.run(`tell ${request.person}`, (step) =>
      directory.mail(request.person, { about }, step.idempotencyKey),
    );
  }

  return [accessRequest, provisioning] as const;
}

const publish = (ctx: Context, status: Status): void => ctx.setEvent("status", status);

const describe = ({ person, system, reason }: AccessRequest): string =>
  `${person} asks for access to ${system}: ${reason}`;

/** A mistake of the caller is final: trying again would not mend it. */
function checkRequest(request: Partial<AccessRequest> | undefined): void {
  const texts = [request?.person, request?.system, request?.reason];
  if (texts.every((text) => typeof text === "string" && text !== "")) return;
  throw new TerminalError("a request has person, system and reason", { errorCode: 400 });
}
