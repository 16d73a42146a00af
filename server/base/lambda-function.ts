/** A function on AWS Lambda as an operator names it; pure. */

export interface LambdaFunction {
  /** Qualified: with a version or an alias. */
  readonly arn: string;
  readonly region: string;
  /** `$LATEST`, a number, or the name of an alias. */
  readonly qualifier: string;
}

const ARN =
  /^arn:aws[a-z-]*:lambda:([a-z]{2}(?:-[a-z]+)+-\d):\d{12}:function:[A-Za-z0-9_-]{1,140}(?::([A-Za-z0-9_-]{1,129}|\$LATEST))?$/;
const ROLE = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/;

/** Why it cannot be used, in words for who wrote it. */
export type ArnProblem = { readonly problem: string };

export function parseLambdaArn(text: string): LambdaFunction | ArnProblem {
  const match = ARN.exec(text);
  if (match === null) return { problem: NO_ARN };
  const [arn, region = "", qualifier] = match;
  if (qualifier === undefined) return { problem: UNQUALIFIED };
  return { arn, region, qualifier };
}

/** Undefined when it is no ARN of a role. */
export function parseRoleArn(text: string): string | undefined {
  return ROLE.test(text) ? text : undefined;
}

const NO_ARN =
  "it must be the ARN of a function with its version, such as arn:aws:lambda:eu-central-1:123456789012:function:orders:7";

const UNQUALIFIED =
  "it names no version: what runs behind it would change under the journals of its invocations. " +
  "Publish a version and register the function's ARN with :{version} behind it (or :$LATEST while developing)";
