/** Fields that mean the same on every command. */
import { bytesTag, varintTag } from "./wire-writer.ts";

/** The first completion of a call or send: the id of the callee. */
export const INVOCATION_ID_ID: number = varintTag(10);
/** The completion that carries the command's result. */
export const RESULT_ID: number = varintTag(11);
/** The label for people. */
export const NAME: number = bytesTag(12);
