// The errors of networks and their files: apart from all else, so that who only tells them apart loads no kernel.

/** A config that asks for what is not supported, or does not make sense: names the class, the key and the value. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** A checkpoint that does not fit its network: lists every missing, extra and misshapen tensor. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
}
