import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLambdaArn, parseRoleArn } from "./lambda-function.ts";

const FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:orders";

test("an ARN names a region, a function and its version", () => {
  for (const qualifier of ["7", "live", "blue-green_2", "$LATEST"]) {
    const arn = `${FUNCTION}:${qualifier}`;
    assert.deepEqual(parseLambdaArn(arn), { arn, region: "eu-central-1", qualifier });
  }
  const other = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:orders:7";
  assert.equal((parseLambdaArn(other) as { region: string }).region, "us-gov-west-1");
});

test("an ARN without a version, or of anything else, is refused", () => {
  const problemOf = (arn: string) => (parseLambdaArn(arn) as { problem: string }).problem;
  assert.match(problemOf(FUNCTION), /names no version.*Publish a version/);
  for (const arn of [
    "orders",
    "arn:aws:s3:::bucket",
    "arn:aws:lambda:eu-central-1:123456789012:layer:orders:7",
    "arn:aws:lambda:eu-central-1:1:function:orders:7",
    `${FUNCTION}:7:8`,
    `${FUNCTION}:a b`,
    `${FUNCTION}:$latest`,
    ` ${FUNCTION}:7`,
    `${FUNCTION}:7\n`,
  ]) {
    assert.match(problemOf(arn), /must be the ARN of a function/, arn);
  }
});

test("a role is one of IAM", () => {
  const role = "arn:aws:iam::123456789012:role/path/holdfast";
  assert.equal(parseRoleArn(role), role);
  for (const other of ["holdfast", "arn:aws:iam::123456789012:user/me", `${role} `]) {
    assert.equal(parseRoleArn(other), undefined);
  }
});
