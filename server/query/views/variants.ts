/** Variants of views: the same columns over fewer rows. */

/**
 * - ids: the invocations in the table `picked`
 * - open: the invocations that are not completed
 */
export type Variant = "ids" | "open";

/** Which variants a view has. */
export const RESTRICTABLE: ReadonlyMap<string, readonly Variant[]> = new Map([
  ["sys_invocation", ["ids", "open"]],
  ["sys_invocation_status", ["ids", "open"]],
  ["sys_invocation_state", ["ids"]],
  ["sys_journal", ["ids"]],
  ["sys_journal_events", ["ids"]],
]);

const COMPLETED = "completed";

/** A space keeps it apart from every name that a statement can mean. */
export function variantOf(view: string, variant: Variant): string {
  return `${view} ${variant}`;
}

export function isOpenStatus(status: string): boolean {
  return status !== COMPLETED;
}
