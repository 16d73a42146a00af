/** Requests to an endpoint on Node or Lambda: who may ask, and what for. */
import type { AttemptHeaders } from "../context/request.ts";
import { IdentityVerifier } from "./identity.ts";
import { signedRequest } from "./identity-token.ts";
import { type ManifestForm, pathOf, route, type Routed } from "./router.ts";
import { type EndpointOptions, ServedServices } from "./served-services.ts";

export class Requests {
  readonly #services: ServedServices;
  readonly #identity: IdentityVerifier | undefined;

  /** Throws `TypeError` for what is no service and for a bad identity key. */
  constructor(options: EndpointOptions) {
    const { identityKeys = [] } = options;
    this.#services = new ServedServices(options);
    this.#identity = identityKeys.length > 0 ? new IdentityVerifier(identityKeys) : undefined;
  }

  /** @param headers with names in lower case */
  route(url: string, headers: AttemptHeaders, form: ManifestForm): Routed {
    const isAuthorized =
      this.#identity?.accepts(signedRequest(pathOf(url), headers), Date.now()) ?? true;
    return route(this.#services, { url, headers, isAuthorized }, form);
  }
}
