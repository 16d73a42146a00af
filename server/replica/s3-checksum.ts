/** What lets a store find damage on the way, beside the hash in the signature, which not all of them check. */
import { createHash, getFips } from "node:crypto";

/** MD5, since no other sum is checked by all stores; none where the law of the machine (FIPS) forbids it. */
export function checksumOf(bytes: Uint8Array): { readonly ContentMD5?: string } {
  if (getFips() === 1) return {};
  return { ContentMD5: createHash("md5").update(bytes).digest("base64") };
}
