/** Setting up access: three changes in three places. When one cannot be made, those before it are taken back. */
import { workflow, type WorkflowContext } from "@holdfast/sdk";
import type { Directory } from "./directory.ts";

export interface Grant {
  readonly person: string;
  readonly system: string;
}

export interface Access {
  readonly account: string;
  readonly group: string;
  readonly seat: number;
}

/** `Provisioning/{id}/run`: for `AccessRequest`, not for HTTP. */
export function provisioningWorkflow(directory: Directory) {
  return workflow({
    name: "Provisioning",
    handlers: {
      run: async (ctx: WorkflowContext, { person, system }: Grant): Promise<Access> =>
        ctx.saga(async (saga) => {
          const account = await saga.run(
            "create account",
            (step) => directory.createAccount(person, step.idempotencyKey),
            // Not one that was there before.
            { undo: (created) => created?.isNew && directory.removeAccount(created.name) },
          );
          const group = await saga.run(
            "join group",
            (step) => directory.joinGroup(account.name, system, step.idempotencyKey),
            { undo: (joined) => joined?.isNew && directory.leaveGroup(account.name, system) },
          );
          const seat = await saga.run(
            "take seat",
            (step) => directory.takeSeat(account.name, system, step.idempotencyKey),
            { undo: (taken) => taken?.isNew && directory.freeSeat(account.name, system) },
          );
          return { account: account.name, group: group.name, seat: seat.number };
        }),
    },
    options: { ingressPrivate: true },
  });
}
