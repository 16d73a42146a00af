/** What message types are called in the views. */
import { isCommand, isNotification, messageTypeName } from "../../../sdk/protocol/message-type.ts";
import type { SqlArgument } from "./sql-argument.ts";

/** `Run` for 0x0411. */
export function commandName(type: SqlArgument): string | null {
  return typeof type === "number" ? messageTypeName(type).replace(/Command$/, "") : null;
}

/** `Run` for 0x8011, `Signal` for 0xfbff. */
export function notificationName(type: number): string {
  return messageTypeName(type).replace(/Completion$/, "");
}

/** `Command: Run` or `Notification: Run`. */
export function entryType(type: SqlArgument): string | null {
  if (typeof type !== "number") return null;
  if (isCommand(type)) return `Command: ${commandName(type)}`;
  return isNotification(type) ? `Notification: ${notificationName(type)}` : messageTypeName(type);
}
